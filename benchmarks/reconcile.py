"""`python -m benchmarks.reconcile`: 100,000 charges of a day against HIS's list, beside a plain loop over ORM objects.

Both read the same list and the same database (fsync on) and must find the same differences. The gateway also keeps what
it finds and writes the day sheets; the peer does neither.
"""

from __future__ import annotations

import csv
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from sqlalchemy import Engine, insert, select, text
from sqlalchemy.orm import Session

from gateway import migrate
from gateway.config import Settings
from gateway.database.embedded import EmbeddedDatabase, create_database
from gateway.model.money import MoneyLine, MoneyState, MoneyTransaction
from gateway.reconciliation.booking import DIFFERENCES, Counterpart
from gateway.reconciliation.listing import FileList
from gateway.reconciliation.running import Order, Runner
from gateway.reconciliation.sheet import write_sheets
from gateway.store import make_engine, make_sessions

HOSPITAL = "44643245-7"
BEGIN = datetime.fromisoformat("2026-11-24T00:10:00+08:00")
DAY = BEGIN.date()
EVERY = 1000
"""Of so many charges one is missing at HIS, one is HIS's alone, one differs in amount."""
HEADINGS = ("计费流水号", "类型", "金额", "状态", "科室", "日期", "来源系统")
DEPARTMENTS = ("0101", "0103", "0201", "0301", "0402")


def amount_of(number: int) -> Decimal:
    return Decimal(number % 90000 + 100) / 100


def booked_at(number: int, count: int) -> datetime:
    return BEGIN + timedelta(seconds=number * 84000 / count)


def fill(engine: Engine, count: int) -> None:
    """A hospital's day in the ledger."""
    with make_sessions(engine).begin() as session:
        for start in range(0, count, 5000):
            numbers = range(start, min(start + 5000, count))
            seed(session, numbers, count)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))


def seed(session: Session, numbers: range, count: int) -> None:
    rows, lines, states = [], [], []
    for number in numbers:
        at, key = booked_at(number, count), f"K{number:08d}"
        fixed = {"kind": "CHARGE", "branch_code": "", "source": "GATEWAY", "content_hash": ""}
        whose = {"visit_type": "3", "visit_no": f"V{number % 3000}", "patient_id": f"P{number % 3000}"}
        names = {"key": key, "txn_no": key, "message_id": key, "number": f"JF{number:08d}", "sender_code": "PACS"}
        where = {"hospital_code": HOSPITAL, "perform_dept_code": DEPARTMENTS[number % 5]}
        rows.append(fixed | whose | names | where | {"occurred_at": at, "created_at": at})
        item = {"charge_code": "210300002", "item_name": "CT", "quantity": Decimal(1)}
        lines.append(item | {"transaction_key": key, "line_no": 1, "stated_amount": amount_of(number)})
        states.append({"transaction_key": key, "seq": 1, "state": "SENT", "at": at})
        states.append({"transaction_key": key, "seq": 2, "state": "CONFIRMED", "at": at})
    session.execute(insert(MoneyTransaction), rows)
    session.execute(insert(MoneyLine), lines)
    session.execute(insert(MoneyState), states)


def export(path: Path, count: int) -> None:
    """HIS's list of the day, in GBK as most are."""
    with path.open("w", encoding="gbk", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADINGS)
        for number in range(count):
            if number % EVERY == 1:
                continue
            name = f"JF{number:08d}" if number % EVERY != 2 else f"HIS{number:08d}"
            amount = amount_of(number) + (number % EVERY == 3)
            at = booked_at(number, count) + timedelta(seconds=1)
            writer.writerow(
                [name, "计费", f"{amount:,.2f}", "已记账", DEPARTMENTS[number % 5], f"{at:%Y-%m-%d %H:%M:%S}", "PACS"]
            )


# --- the two that are measured ----------------------------------------------------------------------------------------


def gateway(engine: Engine, path: Path) -> Counter[str]:
    """As `gateway reconcile` does it, with what is kept and the day sheets."""
    settings = Settings(folder=path.parent, hospital_code=HOSPITAL)
    order = Order(HOSPITAL, DAY, Counterpart.HIS, "benchmark")
    runner = Runner(settings, lambda: datetime.now(settings.zone))
    with make_sessions(engine).begin() as session:
        file = FileList(path, settings.reconciliation, settings.zone)
        summary = runner.with_file(session, order, file)
        write_sheets(session, summary, settings.zone, path.parent / "sheets")
        return Counter({str(kind): count for kind, count in summary.counts.items() if kind in DIFFERENCES})


def orm_loop(engine: Engine, path: Path) -> Counter[str]:
    """As one would write it first: the day's objects in a dictionary, and a loop over the list."""
    found: Counter[str] = Counter()
    with make_sessions(engine)() as session:
        day = select(MoneyTransaction).where(
            MoneyTransaction.hospital_code == HOSPITAL,
            MoneyTransaction.occurred_at >= BEGIN.replace(minute=0),
            MoneyTransaction.occurred_at < BEGIN.replace(minute=0) + timedelta(days=1),
        )
        ours = {(row.sender_code, row.number): row for row in session.scalars(day)}
        with path.open(encoding="gbk", newline="") as file:
            for line in csv.DictReader(file):
                row = ours.pop((line["来源系统"], line["计费流水号"]), None)
                if row is None:
                    found["HIS_ONLY"] += 1
                elif row.state != "CONFIRMED":
                    found["STATUS_DIFF"] += 1
                elif row.amount != Decimal(line["金额"].replace(",", "")):
                    found["AMOUNT_DIFF"] += 1
        found["GW_ONLY"] = len(ours)
    return found


KINDS: dict[str, Callable[[Engine, Path], Counter[str]]] = {"gateway": gateway, "ORM loop": orm_loop}


def main(
    count: Annotated[int, typer.Option("--count", min=1000, help="How many charges.")] = 100_000,
    rounds: Annotated[int, typer.Option(min=1)] = 3,
    one: Annotated[str, typer.Option("--one", hidden=True)] = "",
    folder: Annotated[Path, typer.Option("--folder", hidden=True)] = Path(),
) -> None:
    """Seconds, CPU and memory of a comparison, beside a loop over ORM objects, each time in a process of its own."""
    if one:
        measure(one, folder)
        return
    console = Console()
    with (
        tempfile.TemporaryDirectory(prefix="gateway-bench-") as place,
        Progress(console=console, transient=True) as bar,
    ):
        site = Path(place)
        site.chmod(0o755)
        embedded = EmbeddedDatabase(site / "database")
        (site / "database").mkdir()
        try:
            url = create_database(embedded.start(), "bench")
            task = bar.add_task("filling the ledger", total=rounds * len(KINDS))
            migrate.upgrade(url)
            engine = make_engine(url)
            fill(engine, count)
            engine.dispose()
            export(site / "his.csv", count)
            samples: dict[str, list[dict[str, Any]]] = {kind: [] for kind in KINDS}
            for _ in range(rounds):
                for kind in KINDS:
                    bar.update(task, description=kind)
                    samples[kind].append(run(kind, site, url))
                    bar.advance(task)
        finally:
            embedded.remove()
    console.print(shown(samples, count))
    same = {str(sample["found"]) for of_kind in samples.values() for sample in of_kind}
    if len(same) != 1:
        console.print(f"[red]They do not find the same: {same}[/red]")
        raise typer.Exit(1)
    console.print(f"Each found {samples['gateway'][0]['found']}")


def run(kind: str, folder: Path, url: str) -> dict[str, Any]:
    """One measurement in a process of its own, so that its memory is its own."""
    command = [sys.executable, "-m", "benchmarks.reconcile", "--one", kind, "--folder", str(folder)]
    environment = os.environ | {"BENCH_URL": url}
    output = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True).stdout.split("\n")
    seconds, cpu, memory, found = output[0], output[1], output[2], output[3]
    return {"seconds": float(seconds), "cpu": float(cpu), "memory": int(memory), "found": found}


def measure(kind: str, folder: Path) -> None:
    engine = make_engine(os.environ["BENCH_URL"], pool_size=1)
    started, cpu = time.perf_counter(), time.process_time()
    found = KINDS[kind](engine, folder / "his.csv")
    print(time.perf_counter() - started, time.process_time() - cpu, sep="\n")
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    print(dict(sorted(found.items())))


def shown(samples: dict[str, list[dict[str, Any]]], count: int) -> Table:
    """The quietest of each: what else the machine does only makes it slower."""
    machine = f"Python {platform.python_version()} · {os.cpu_count()} cores · load {os.getloadavg()[0]:.1f}"
    table = Table(title=f"{count:,} charges · {machine}")
    for name in ("", "seconds, quietest", "all", "CPU s of the process", "peak memory, MB"):
        table.add_column(name)
    for kind, of_kind in samples.items():
        seconds = sorted(sample["seconds"] for sample in of_kind)
        table.add_row(
            kind,
            f"{seconds[0]:.1f}",
            " ".join(f"{value:.1f}" for value in seconds),
            f"{min(sample['cpu'] for sample in of_kind):.1f}",
            f"{max(sample['memory'] for sample in of_kind) / 1024:.0f}",
        )
    return table


if __name__ == "__main__":
    typer.run(main)
