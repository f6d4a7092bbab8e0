"""`python -m benchmarks.store`: a year of messages in the store; how fast they are found, added to, and let go.

Two databases of one server (fsync on) stand beside each other: one with 1,000 messages, one with as many as is said,
both in months. Rates are measured in turn on both, so that what else the machine does slows both.
"""

from __future__ import annotations

import os
import platform
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from lxml import etree
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from gateway import migrate
from gateway.config import Storage
from gateway.contract import Contract
from gateway.database.embedded import EmbeddedDatabase, create_database
from gateway.delivery.enqueue import enqueue
from gateway.delivery.usual import delivered, take
from gateway.model.journal import JournalEntry, MessageKey
from gateway.model.monthly import MONTHLY
from gateway.model.packed import pack
from gateway.operations.journal_search import Wanted, search
from gateway.storage.months import make_months, month_of, months_later, parts
from gateway.storage.retention import Step, plan, prune
from gateway.store import insert_rows, make_engine

FEW = 1_000
MONTHS = 12
BATCH = 20_000
PATIENTS, REQUISITIONS = 50_000, 250_000
"""A patient has twenty messages, a requisition four."""
PAYLOADS = 2_000
"""Different messages that are kept again and again; each is packed as a message of its own is."""
CODES = {"SenderCode", "HospitalCode", "Version", "Action", "Event", "VisitType", "PerformDeptCode", "RequisitionType"}
"""Elements that say the same in most messages of a hospital."""

_JOURNAL = """
INSERT INTO journal (txn_no, received_at, operation, sender_code, message_id, hospital_code, branch_code,
    requisition_no, visit_no, patient_id, soap_version, xml, result_code, answered_at)
SELECT 'G' || to_char(at, 'YYMMDDHH24MISSMS') || lpad(to_hex(n), 10, '0'), at, p.operation,
    (ARRAY['HIS', 'PACS', 'LIS'])[n % 3 + 1], 'M' || n, '44643245-7', '', 'R' || n % {requisitions},
    'V' || n % {patients}, 'P' || n % {patients}, '1.1', p.xml, '0', at
FROM (SELECT n, CAST(:begin AS timestamptz) + (CAST(:end AS timestamptz) - :begin) * n / :count AS at
    FROM generate_series(CAST(:first AS bigint), :last) n) message
JOIN payload p ON p.number = n % {payloads}
"""
_DELIVERY = """
INSERT INTO delivery (partner, operation, lane, lock, state, attempts, txn_no, hospital_code, origin_sender_code,
    origin_message_id, subject, request, created_at, started_at, finished_at, last_code)
SELECT (ARRAY['HIS', 'PACS', 'LIS'])[n % 3 + 1], 'ReportStatus', 'normal',
    'requisition|HIS|44643245-7||R' || n % {requisitions}, 'DELIVERED', 1, 'G' || n, '44643245-7', 'PACS', 'M' || n,
    'R' || n % {requisitions}, p.request, at, at, at, '0'
FROM (SELECT n, CAST(:begin AS timestamptz) + (CAST(:end AS timestamptz) - :begin) * n / :count AS at
    FROM generate_series(CAST(:first AS bigint), :last) n) message
JOIN payload p ON p.number = n % {payloads}
"""
_ATTEMPT = """
INSERT INTO delivery_attempt (delivery_id, started_at, milliseconds, outcome, code)
SELECT id, created_at, 12, 'ANSWERED', '0' FROM delivery WHERE id > :known
"""
_NAMES = {"requisitions": REQUISITIONS, "patients": PATIENTS, "payloads": PAYLOADS}


@dataclass(frozen=True, slots=True)
class Stock:
    """One of the two databases."""

    engine: Engine
    count: int


# --- filling ----------------------------------------------------------------------------------------------------------


def payloads() -> list[dict[str, Any]]:
    """The contract's samples as messages with other values: every figure, letter and character of them by chance.

    Nothing is packed worse than chance, so real messages take less room than these.
    """
    chance, contract = random.Random(7), Contract()
    samples = [(o.name, contract.sample(o.name).read_bytes()) for o in contract.operations]
    made = []
    for number in range(PAYLOADS):
        operation, sample = samples[number % len(samples)]
        envelope = etree.fromstring(sample)
        for element in envelope.iter(etree.Element):
            if element.text and element.text.strip() and etree.QName(element).localname not in CODES:
                element.text = "".join(other(character, chance) for character in element.text)
        xml = etree.tostring(envelope, encoding="utf-8", xml_declaration=True)
        (request,) = envelope.iter("{*}Request")
        body = "".join(etree.tostring(child, encoding="unicode") for child in request)
        made.append({"number": number, "operation": operation, "xml": pack(xml), "request": body, "bytes": len(xml)})
    return made


def other(character: str, chance: random.Random) -> str:
    """Another character of the same kind."""
    if character.isdigit():
        return chance.choice("0123456789")
    if character.isascii():
        return chance.choice("ABCDEFGHJKLMNPQRSTUVWXYZ") if character.isalpha() else character
    return chr(chance.randrange(0x4E00, 0x4E00 + 3000)) if character > "\u4e00" else character


def fill(engine: Engine, count: int, made: list[dict[str, Any]], moved: Callable[[int], None]) -> None:
    """Messages, deliveries and attempts, evenly over the last twelve months."""
    end = datetime.now(UTC)
    begin = months_later(month_of(end), -MONTHS)
    with engine.begin() as connection:
        for table in MONTHLY:  # the part of the time before the months would take all of them
            connection.execute(text(f"ALTER TABLE {table} DETACH PARTITION {table}_before"))
            connection.execute(text(f"DROP TABLE {table}_before"))
        connection.execute(
            text("CREATE TABLE payload (number bigint PRIMARY KEY, operation text, xml bytea, request text)")
        )
        connection.execute(text("INSERT INTO payload VALUES (:number, :operation, :xml, :request)"), made)
    make_months(engine, begin, ahead=MONTHS + 2)
    for first in range(0, count, BATCH):
        last = min(first + BATCH, count) - 1
        values = {"begin": begin, "end": end, "count": count, "first": first, "last": last}
        with engine.begin() as connection:
            known = connection.scalar(text("SELECT coalesce(max(id), 0) FROM delivery"))
            connection.execute(text(_JOURNAL.format(**_NAMES)), values)
            connection.execute(text(_DELIVERY.format(**_NAMES)), values)
            connection.execute(text(_ATTEMPT), {"known": known})
        moved(last + 1)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SET statement_timeout = 0"))
        connection.execute(text("VACUUM ANALYZE"))


# --- what is measured -------------------------------------------------------------------------------------------------


def searches(stock: Stock, times: int) -> dict[str, list[float]]:
    """Milliseconds of each kind of search, for things chosen by chance."""
    chance = random.Random(11)
    kinds: dict[str, Callable[[int], Wanted]] = {
        "patient": lambda n: Wanted(patient=f"P{n % PATIENTS}"),
        "requisition": lambda n: Wanted(requisition_no=f"R{n % REQUISITIONS}"),
        "MessageId": lambda n: Wanted(message_id=f"M{n}"),
        "patient, last three months": lambda n: Wanted(
            patient=f"P{n % PATIENTS}", since=months_later(month_of(datetime.now(UTC)), -3)
        ),
        "the latest 100 of a sender": lambda n: Wanted(sender="PACS"),
    }
    found: dict[str, list[float]] = {}
    with Session(stock.engine) as session:
        for kind, wanted in kinds.items():
            milliseconds = []
            for _ in range(times):
                asked = wanted(chance.randrange(stock.count))
                begun = time.perf_counter()
                assert search(session, asked) or asked.since is not None, asked
                milliseconds.append((time.perf_counter() - begun) * 1000)
            found[kind] = milliseconds
            session.rollback()
    return found


def enqueue_rate(stock: Stock, seconds: float, body: str, xml: bytes) -> float:
    """Messages a second that are journalled, with their key, a delivery and its job, each in a transaction."""
    done, begun, run = 0, time.perf_counter(), os.urandom(4).hex()
    with Session(stock.engine) as session:
        while (elapsed := time.perf_counter() - begun) < seconds:
            put(session, f"{run}-{done}", body, xml)
            done += 1
    return done / elapsed


def put(session: Session, name: str, body: str, xml: bytes) -> datetime:
    """A message that is journalled with its key, a delivery and its job, in one transaction; when it was received."""
    now = datetime.now(UTC)
    common = {"operation": "ReportStatus", "sender_code": "PACS", "message_id": name, "txn_no": f"G{name}"}
    entry = common | {
        "received_at": now, "hospital_code": "44643245-7", "branch_code": "", "requisition_no": f"R{name}",
        "visit_no": f"V{name}", "patient_id": f"P{name}", "soap_version": "1.1", "xml": xml, "result_code": "0",
        "answered_at": now,
    }  # fmt: skip
    key = common | {"content_hash": "x" * 64, "created_at": now, "answer": body}
    insert_rows(session, [(JournalEntry, entry), (MessageKey, key)])
    enqueue(session, [delivery_of(name, now, body)])
    session.commit()
    return now


def delivery_rate(stock: Stock, seconds: float) -> float:
    """Deliveries a second that are marked as being sent and then as delivered, by one worker's two statements."""
    done, now = 0, datetime.now(UTC)
    with Session(stock.engine) as session:
        waiting = session.execute(text("SELECT id, job_id FROM delivery WHERE state = 'QUEUED' LIMIT 5000")).all()
    begun = time.perf_counter()
    for number, _ in waiting:
        with Session(stock.engine) as session:
            taken = take(session, number, datetime.now(UTC), [])
        assert taken is not None
        values = {
            "id": number,
            "created_at": taken.created_at,
            "attempts": 1,
            "job_id": None,
            "now": now,
            "answer": None,
            "started_at": now,
        }
        with Session(stock.engine) as session:
            delivered(session, values | {"milliseconds": 1}, alone=True)
        done += 1
        if time.perf_counter() - begun > seconds:
            break
    return done / (time.perf_counter() - begun)


def delivery_of(name: str, now: datetime, body: str) -> dict[str, Any]:
    return {
        "partner": "HIS", "operation": "ReportStatus", "lane": "normal", "lock": f"requisition|HIS|44643245-7||R{name}",
        "state": "QUEUED", "attempts": 0, "txn_no": f"G{name}", "hospital_code": "44643245-7",
        "origin_sender_code": "PACS", "origin_message_id": name, "subject": f"R{name}", "request": body,
        "created_at": now,
    }  # fmt: skip


def pruning(stock: Stock) -> tuple[list[tuple[str, float]], float]:
    """Seconds for each month that goes when eleven are kept, and the longest that a message had to wait meanwhile."""
    steps: dict[str, float] = {}

    def told(step: Step, done: float) -> None:
        steps[step.name] = time.perf_counter() - steps[step.name] if step.name in steps else time.perf_counter()

    storage = Storage(journal_months=MONTHS - 1, delivery_months=MONTHS - 1)
    now = datetime.now(UTC)
    with stock.engine.connect() as connection:
        months = {step.name for step in plan(connection, storage, now) if step.is_month}
    begun = time.perf_counter()
    prune(stock.engine, storage, now, lambda step, done: told(step, done) if step.name in months else None)
    whole = time.perf_counter() - begun
    return list(steps.items()), whole


# --- the report -------------------------------------------------------------------------------------------------------


def main(
    rows: Annotated[
        int, typer.Option("--rows", min=10_000, help="How many messages, deliveries and attempts.")
    ] = 1_000_000,
    rounds: Annotated[int, typer.Option(min=1, help="How often the rates are measured.")] = 5,
    seconds: Annotated[float, typer.Option(min=0.2, help="How long each time.")] = 3.0,
    times: Annotated[int, typer.Option(min=20, help="How many searches of each kind.")] = 300,
) -> None:
    """Search, enqueue, delivery and pruning with a year of messages in the store."""
    console = Console(width=max(110, Console().width))
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as place, Progress(*columns, console=console) as bar:
        site = Path(place)
        site.chmod(0o755)
        (site / "database").mkdir()
        embedded = EmbeddedDatabase(site / "database")
        try:
            server, made = embedded.start(), payloads()
            task = bar.add_task("filling", total=rows)
            stocks = {
                count: prepared(server, count, made, lambda done: bar.update(task, completed=done))
                for count in (FEW, rows)
            }
            many = stocks[rows]
            console.print(sizes(many, made))
            body, xml = made[0]["request"], Contract().sample("ReportStatus").read_bytes()
            rates: dict[str, dict[int, list[float]]] = {"enqueue": {}, "delivery": {}}
            task = bar.add_task("rates", total=rounds * len(stocks))
            for _ in range(rounds):
                for count, stock in stocks.items():
                    rates["enqueue"].setdefault(count, []).append(enqueue_rate(stock, seconds, body, xml))
                    rates["delivery"].setdefault(count, []).append(delivery_rate(stock, seconds))
                    bar.advance(task)
            console.print(rate_table(rates))
            console.print(search_table(searches(many, times), rows))
            console.print(pruning_table(*pruning(many)))
        finally:
            for stock in locals().get("stocks", {}).values():
                stock.engine.dispose()
            embedded.remove()
    load = f"{os.getloadavg()[0]:.1f}"
    console.print(f"Python {platform.python_version()} · {os.cpu_count()} cores, shared · load {load} at the end")


def prepared(server: str, count: int, made: list[dict[str, Any]], moved: Callable[[int], None]) -> Stock:
    """A database with so many messages."""
    url = create_database(server, f"bench_{count}")
    migrate.upgrade(url)
    engine = make_engine(url, pool_size=2)
    fill(engine, count, made, moved)
    return Stock(engine, count)


def sizes(stock: Stock, made: list[dict[str, Any]]) -> Table:
    raw = statistics.mean(one["bytes"] for one in made)
    kept = statistics.mean(len(one["xml"]) for one in made)
    title = f"{stock.count:,} messages · {raw:,.0f} bytes each as received, {kept:,.0f} as kept"
    table = Table(title=title)
    for name in ("table", "parts", "rows", "largest part, MB", "all, MB"):
        table.add_column(name, justify="left" if name == "table" else "right")
    figures = text("SELECT greatest(reltuples, 0), pg_total_relation_size(oid) FROM pg_class WHERE relname = :name")
    with stock.engine.connect() as connection:
        present = parts(connection)
        for name in MONTHLY:
            found = [connection.execute(figures, {"name": p.name}).one() for p in present if p.table == name]
            megabytes = [size / 2**20 for _, size in found]
            rows = f"{sum(int(rows) for rows, _ in found):,}"
            table.add_row(name, str(len(found)), rows, f"{max(megabytes):,.0f}", f"{sum(megabytes):,.0f}")
    return table


def rate_table(rates: dict[str, dict[int, list[float]]]) -> Table:
    """The quietest round of each: what else the machine does only makes it slower."""
    table = Table(title="one connection, each in a transaction of its own")
    for name in ("", "rows in the store", "a second, quietest", "median", "all rounds"):
        table.add_column(name)
    words = {"enqueue": "a message journalled and queued", "delivery": "taken and delivered, without the partner"}
    for what, of_what in rates.items():
        for count, values in of_what.items():
            every = " ".join(f"{value:.0f}" for value in values)
            table.add_row(words[what], f"{count:,}", f"{max(values):.0f}", f"{statistics.median(values):.0f}", every)
    return table


def search_table(found: dict[str, list[float]], rows: int) -> Table:
    table = Table(title=f"searches among {rows:,} messages in {MONTHS + 1} months, milliseconds")
    for name in ("by", "p50", "p99", "longest"):
        table.add_column(name, justify="left" if name == "by" else "right")
    for kind, values in found.items():
        ordered = sorted(values)
        p99 = ordered[int(len(ordered) * 0.99)]
        table.add_row(kind, f"{statistics.median(ordered):.1f}", f"{p99:.1f}", f"{ordered[-1]:.1f}")
    return table


def pruning_table(months: list[tuple[str, float]], whole: float) -> Table:
    table = Table(title=f"letting a month go; with looking through the rest {whole:.1f} s")
    for name in ("month", "seconds"):
        table.add_column(name)
    for name, seconds in months:
        table.add_row(name, f"{seconds:.2f}")
    return table


if __name__ == "__main__":
    typer.run(main)
