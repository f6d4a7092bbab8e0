"""`python -m benchmarks.replica`: what it helps and costs when lists and reports read a streaming replica.

Two servers of the distribution's PostgreSQL (fsync on) stand side by side in a folder of their own, the second follows
the first. Threads write as messages do, as fast as they are let; readers ask what operators and reports ask, first
nowhere, then on the primary, then on the replica, in turn. Both servers have the same cores and the same disk: what a
replica takes off the primary shows as CPU of the primary, and only on a host of its own also as speed.
"""

from __future__ import annotations

import os
import platform
import pwd
import random
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from sqlalchemy import Engine, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from benchmarks import reconcile
from benchmarks.report import write_between
from benchmarks.site import cpu_seconds
from benchmarks.store import PATIENTS, REQUISITIONS, payloads, prepared, put
from gateway.contract import Contract
from gateway.database.programs import Account
from gateway.delivery.backlog import backlogs, finished_since
from gateway.operations.journal_search import Wanted, search
from gateway.reconciliation.open_items import open_items
from gateway.reconciliation.ours import TABLE
from gateway.store import make_engine

PROGRAMS = Path("/usr/lib/postgresql")
"""Where Debian and Ubuntu keep the versions of PostgreSQL."""
PAGE = Path(__file__).resolve().parent.parent / "docs" / "scale.md"
BEGIN, END = "<!-- replica: written by `python -m benchmarks.replica --write` -->", "<!-- end of the replica -->"

MESSAGES, CHARGES = 30_000, 10_000
WRITERS, READERS = 3, 2
READ_EVERY = 0.05
"""Seconds from one question of a reader to its next, if it is answered by then."""
LOOK_EVERY, LAG_EVERY = 0.05, 0.1
PATIENCE = 20.0
"""Seconds in which the replica must have come after."""
NOWHERE, PRIMARY, REPLICA = WHERE = ("no readers", "readers on the primary", "readers on the replica")
PARTNERS = ("HIS", "PACS", "LIS")
QUESTIONS: dict[str, Callable[[Session, int], object]] = {
    "search by patient": lambda session, n: search(session, Wanted(patient=f"P{n % PATIENTS}")),
    "search by requisition": lambda session, n: search(session, Wanted(requisition_no=f"R{n % REQUISITIONS}")),
    "the latest 100 of a sender": lambda session, _: search(session, Wanted(sender="PACS")),
    "what waits for each partner": lambda session, _: backlogs(session, PARTNERS),
    "what was delivered within a day": lambda session, _: finished_since(session, datetime.now(UTC) - timedelta(1)),
    "open items": lambda session, _: open_items(session, datetime.now(UTC), 30),
}
_LAG = text("SELECT extract(epoch FROM replay_lag) * 1000 FROM pg_stat_replication WHERE replay_lag IS NOT NULL")
_VISIBLE = text("SELECT EXISTS (SELECT FROM journal WHERE txn_no = :txn_no AND received_at = :at)")
_CAUGHT_UP = text("SELECT pg_last_wal_replay_lsn() >= CAST(:lsn AS pg_lsn)")


# --- the two servers --------------------------------------------------------------------------------------------------


class NoPostgreSQL(Exception):
    """What is missing on this machine."""


class Server:
    """One PostgreSQL with its data in a folder of its own, reached by a socket nobody else can open."""

    def __init__(self, folder: Path, name: str, port: int) -> None:
        self.name, self._port = name, port
        self._programs, self._account = _programs(), _account()
        self._sockets, self._data, self._log = folder / "sockets", folder / name, folder / "sockets" / f"{name}.log"
        self._account.make_folder(self._sockets)

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://gateway@/postgres?host={self._sockets}&port={self._port}"

    def make(self) -> None:
        """An empty one."""
        self._account.make_folder(self._data)
        words = ("--username=gateway", "--auth=trust", "--encoding=UTF8", "--locale=C")
        self._must("initdb", "-D", self._data, *words)

    def follow(self, primary: Server) -> None:
        """Make it from another one that runs, to follow that from its start on."""
        self._account.make_folder(self._data)
        whose = ("-h", self._sockets, "-p", primary._port, "-U", "gateway")
        self._must("pg_basebackup", "-D", self._data, *whose, "-R", "-X", "stream", "-c", "fast", "-C", "-S", self.name)

    def start(self) -> None:
        settings = f"-k {self._sockets} -p {self._port} -c listen_addresses='' -c max_connections=100"
        with uninterrupted():
            self._must("pg_ctl", "-D", self._data, "-l", self._log, "-o", settings, "-w", "-t", 30, "start")

    def stop(self) -> None:
        """End it at once, if it runs."""
        with uninterrupted():
            self._run("pg_ctl", "-D", self._data, "-m", "immediate", "-w", "stop")

    def cpu_seconds(self) -> float:
        """Of it and all its processes since it was started."""
        return cpu_seconds(psutil.Process(int((self._data / "postmaster.pid").read_text().split()[0])))

    def version(self) -> str:
        return self._run("postgres", "--version")[1].split()[2]

    def _must(self, program: str, *words: object) -> None:
        code, told = self._run(program, *words)
        if code:
            raise RuntimeError(f"{program} of the {self.name} has failed: {told[-500:]}")

    def _run(self, program: str, *words: object) -> tuple[int, str]:
        done = self._account.run([self._programs / program, *map(str, words)])
        return done.returncode, done.stdout


def _programs() -> Path:
    found = {int(one.parent.parent.name): one.parent for one in PROGRAMS.glob("[0-9]*/bin/pg_basebackup")}
    if not found:
        raise NoPostgreSQL(f"There is no PostgreSQL below {PROGRAMS}: apt-get install postgresql")
    return found[max(found)]


def _account() -> Account:
    """Who may run PostgreSQL: whoever runs this, but never root."""
    if os.geteuid():
        return Account(os.geteuid(), os.getegid())
    try:
        user = pwd.getpwnam("postgres")
    except KeyError:
        raise NoPostgreSQL("There is no user postgres to run it: apt-get install postgresql") from None
    return Account(user.pw_uid, user.pw_gid)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ctrl-C and SIGTERM have to wait: a server that is just being started or ended would be left behind."""
    caught: list[int] = []
    kept = {one: signal.signal(one, lambda number, _: caught.append(number)) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for one, handler in kept.items():
            signal.signal(one, handler)
    if caught:
        raise KeyboardInterrupt


@contextmanager
def deaf_processes(number: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that leave Ctrl-C, which reaches everybody at a terminal, to the one that started them."""
    with ProcessPoolExecutor(number, get_context("spawn")) as pool:
        kept = signal.signal(signal.SIGINT, signal.SIG_IGN)  # what they begin with
        for _ in range(number):
            pool.submit(time.sleep, 0)
        signal.signal(signal.SIGINT, kept)
        yield pool


@contextmanager
def pair(filled: Callable[[Server], str]) -> Iterator[tuple[Server, Server, str]]:
    """A primary, filled, and a replica of it that has caught up; its database's name. Both end whatever happens."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gateway-replica-")))
        folder.chmod(0o711)
        if os.geteuid() == 0:  # the folders of the data are made in it
            os.chown(folder, _account().uid, _account().gid)
        primary, replica = Server(folder, "primary", 5432), Server(folder, "replica", 5433)
        stack.callback(primary.stop)
        primary.make()
        primary.start()
        name = filled(primary)
        stack.callback(replica.stop)
        replica.follow(primary)
        replica.start()
        yield primary, replica, name


# --- what happens at the same time ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Period:
    """From when to when, on the clock of the machine."""

    begin: float
    end: float

    def ticks(self, every: float) -> Iterator[None]:
        """So often, or as often as it can be followed."""
        due = self.begin
        while (now := time.time()) < self.end:
            time.sleep(max(0.0, due - now))
            yield
            due = max(due + every, time.time())


def write(engine: Engine, period: Period, body: str, xml: bytes) -> list[float]:
    """Messages one after the other; milliseconds each took until it was committed."""
    run, took = os.urandom(6).hex(), list[float]()
    with Session(engine) as session:
        session.connection()
        for _ in period.ticks(0):
            begun = time.perf_counter()
            put(session, f"{run}-{len(took)}", body, xml)
            took.append((time.perf_counter() - begun) * 1000)
    return took


def read(url: str, period: Period, seed: int) -> tuple[list[tuple[str, float]], int]:
    """Questions in turn: which, with milliseconds; and how many the server broke off."""
    chance, kinds, broken = random.Random(seed), list(QUESTIONS), 0
    took: list[tuple[str, float]] = []
    engine = make_engine(url, pool_size=1)
    with Session(engine) as session:
        session.connection()
        for _ in period.ticks(READ_EVERY):
            kind = kinds[(len(took) + broken + seed) % len(kinds)]
            begun = time.perf_counter()
            try:
                QUESTIONS[kind](session, chance.randrange(MESSAGES))
                took.append((kind, (time.perf_counter() - begun) * 1000))
            except DBAPIError:
                broken += 1
            session.rollback()
    engine.dispose()
    return took, broken


def look(primary: str, replica: str, period: Period, body: str, xml: bytes) -> list[float]:
    """Milliseconds from a message's commit at the primary until it is seen at the replica."""
    run, took = os.urandom(6).hex(), list[float]()
    engines = [make_engine(url, pool_size=1) for url in (primary, replica)]
    with Session(engines[0]) as session, engines[1].connect() as connection:
        session.connection()
        connection.execution_options(isolation_level="AUTOCOMMIT")
        for _ in period.ticks(LOOK_EVERY):
            name = f"{run}-{len(took)}"
            at = put(session, name, body, xml)
            committed = time.perf_counter()
            while not connection.scalar(_VISIBLE, {"txn_no": f"G{name}", "at": at}):
                if time.perf_counter() > committed + PATIENCE:
                    raise RuntimeError("The replica does not follow.")
                time.sleep(0.0005)
            took.append((time.perf_counter() - committed) * 1000)
    for engine in engines:
        engine.dispose()
    return took


@dataclass(frozen=True, slots=True)
class Round:
    """What was seen in one period."""

    seconds: float
    writes: list[float]
    reads: list[tuple[str, float]]
    broken: int
    visible: list[float]
    lags: list[float]
    """As pg_stat_replication tells it."""
    cpu: tuple[float, float]
    """Seconds of CPU of the primary and of the replica."""


@dataclass(frozen=True, slots=True)
class Bench:
    """Everything that is needed to measure a round."""

    servers: tuple[Server, Server]
    urls: tuple[str, str]
    engine: Engine
    pool: ProcessPoolExecutor
    body: str
    xml: bytes

    def round(self, where: str, seconds: float) -> Round:
        """Everybody at once for so many seconds."""
        self._catch_up()
        period = Period(begin := time.time() + 0.6, begin + seconds)
        watched = self.pool.submit(look, *self.urls, period, self.body, self.xml)
        url = self.urls[where == REPLICA]
        readers = [] if where == NOWHERE else [self.pool.submit(read, url, period, seed) for seed in range(READERS)]
        with ThreadPoolExecutor(WRITERS) as threads:
            writers = [threads.submit(write, self.engine, period, self.body, self.xml) for _ in range(WRITERS)]
            time.sleep(max(0.0, period.begin - time.time()))
            before = [one.cpu_seconds() for one in self.servers]
            lags = self._lags(period)
            cpu = [one.cpu_seconds() - begun for one, begun in zip(self.servers, before, strict=True)]
            writes = [one for writer in writers for one in writer.result()]
        answers = [reader.result() for reader in readers]
        reads = [one for took, _ in answers for one in took]
        broken = sum(count for _, count in answers)
        return Round(seconds, writes, reads, broken, watched.result(), lags, (cpu[0], cpu[1]))

    def refused(self) -> str:
        """What the replica says to the comparison of the books."""
        engine = make_engine(self.urls[1], pool_size=1)
        try:
            with engine.begin() as connection:
                connection.execute(text(TABLE))
        except DBAPIError as problem:
            return f"refused ({getattr(problem.orig, 'sqlstate', None)}), it begins with temporary tables"
        finally:
            engine.dispose()
        return "taken"

    def _lags(self, period: Period) -> list[float]:
        with self.engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            return [float(one) for _ in period.ticks(LAG_EVERY) for one in connection.scalars(_LAG)]

    def _catch_up(self) -> None:
        """Wait until the replica has all that was written until now: no round pays for the one before."""
        engine = make_engine(self.urls[1], pool_size=1)
        with self.engine.connect() as primary, engine.connect() as replica:
            lsn = primary.scalar(text("SELECT pg_current_wal_lsn()"))
            until = time.monotonic() + PATIENCE
            while not replica.scalar(_CAUGHT_UP, {"lsn": str(lsn)}):
                if time.monotonic() > until:
                    raise RuntimeError("The replica does not follow.")
                time.sleep(0.05)
        engine.dispose()


# --- the report -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Shown:
    """One table, at the terminal and on the page."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]

    def table(self) -> Table:
        table = Table(title=self.title)
        for number, heading in enumerate(self.headings):
            table.add_column(heading, justify="right" if number else "left")
        for row in self.rows:
            table.add_row(*row)
        return table

    def markdown(self) -> str:
        lines = (self.headings, ["---"] * len(self.headings), *self.rows)
        return "\n".join([f"**{self.title}**\n", *(f"| {' | '.join(line)} |" for line in lines)])


def p(values: Sequence[float], percent: int) -> str:
    if len(values) < 2:
        return "-"
    return f"{statistics.quantiles(values, n=100, method='inclusive')[percent - 1]:.1f}"


def writing(found: dict[str, list[Round]]) -> Shown:
    headings = (
        "", "writes/s (each round)", "p50 ms", "p99 ms", "reads/s", "primary's cores", "replica's cores",
        "primary's CPU ms a write",
    )  # fmt: skip
    rows = []
    for where, rounds in found.items():
        rates = [len(one.writes) / one.seconds for one in rounds]
        every = " ".join(f"{rate:.0f}" for rate in rates)
        writes = [value for one in rounds for value in one.writes]
        seconds, reads = sum(one.seconds for one in rounds), sum(len(one.reads) for one in rounds)
        cpu = [sum(one.cpu[n] for one in rounds) for n in (0, 1)]
        count = len(writes) + sum(len(one.visible) for one in rounds)  # those that are looked for are written too
        cells = (p(writes, 50), p(writes, 99), f"{reads / seconds:.0f}" if reads else "-")
        cores = (f"{cpu[0] / seconds:.2f}", f"{cpu[1] / seconds:.2f}", f"{cpu[0] * 1000 / count:.2f}")
        rows.append((where, f"{statistics.median(rates):.0f} ({every})", *cells, *cores))
    return Shown(f"{WRITERS} connections write messages", headings, rows)


def reading(found: dict[str, list[Round]]) -> Shown:
    headings = ("milliseconds", "primary p50", "primary p99", "replica p50", "replica p99")
    by_where = [[one for round_ in found[where] for one in round_.reads] for where in (PRIMARY, REPLICA)]
    rows = []
    for kind in (*QUESTIONS, "all"):
        values = [[took for name, took in reads if kind in (name, "all")] for reads in by_where]
        rows.append((kind, *(p(one, percent) for one in values for percent in (50, 99))))
    rows.append(
        ("broken off by the server", *(word for where in (PRIMARY, REPLICA) for word in (_broken(found[where]), "")))
    )
    return Shown(f"{READERS} readers, a question each every {READ_EVERY * 1000:.0f} ms", headings, rows)


def _broken(rounds: list[Round]) -> str:
    return str(sum(one.broken for one in rounds))


def lagging(found: dict[str, list[Round]]) -> Shown:
    headings = ("milliseconds", "seen p50", "seen p99", "longest", "looks", "replay_lag p50", "replay_lag p99")
    rows = []
    for where, rounds in found.items():
        seen = [value for one in rounds for value in one.visible]
        lags = [value for one in rounds for value in one.lags]
        rows.append((where, p(seen, 50), p(seen, 99), f"{max(seen):.1f}", str(len(seen)), p(lags, 50), p(lags, 99)))
    return Shown("Until a committed message is seen at the replica", headings, rows)


# --- doing it ---------------------------------------------------------------------------------------------------------


def main(
    rounds: Annotated[int, typer.Option(min=1, help="How often each is measured, in turn.")] = 3,
    seconds: Annotated[float, typer.Option(min=1, help="How long each time.")] = 5.0,
    write_page: Annotated[bool, typer.Option("--write/--no-write", help="Put the tables into docs/scale.md.")] = False,
) -> None:
    """Lists and reports on the primary and on a streaming replica: what messages notice, and how late a replica is."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as on Ctrl-C, both servers are ended
    console, before = Console(width=max(150, Console().width)), os.getloadavg()[0]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    try:
        with Progress(*columns, console=console, transient=True) as bar:
            found, version, refused = measured(bar, rounds, seconds)
    except NoPostgreSQL as problem:
        console.print(f"[red]{problem}[/red]")
        raise typer.Exit(2) from None
    shown = [writing(found), reading(found), lagging(found)]
    about = (
        f"Measured {datetime.now(UTC):%Y-%m-%d %H:%M} UTC on {os.cpu_count()} shared cores, noisy, load average "
        f"{before:.1f} before and {os.getloadavg()[0]:.1f} at the end; PostgreSQL {version} twice on the same cores "
        f"and disk, fsync on, replication asynchronous over a local socket; {MESSAGES:,} messages and deliveries over "
        f"a year and {CHARGES:,} charges before; {rounds} rounds of {seconds:g} s each, in turn; Python "
        f"{platform.python_version()}. The comparison of the books, tried on the replica: {refused}."
    )
    for one in shown:
        console.print(one.table())
    console.print(about)
    if write_page:
        section = "\n\n".join([about, *(one.markdown() for one in shown)])
        console.print(f"Written: {write_between(PAGE, BEGIN, END, section)}")


def measured(bar: Progress, rounds: int, seconds: float) -> tuple[dict[str, list[Round]], str, str]:
    """All rounds, each time in another order: what waits for partners grows with every one of them."""
    made, task = payloads(), bar.add_task("filling", total=MESSAGES)
    found: dict[str, list[Round]] = {where: [] for where in WHERE}
    with pair(lambda server: filled(server, made, lambda done: bar.update(task, completed=done))) as (*servers, name):
        urls = [make_url(one.url).set(database=name).render_as_string(hide_password=False) for one in servers]
        engine = make_engine(urls[0], pool_size=WRITERS)
        body, xml = made[0]["request"], Contract().sample("ReportStatus").read_bytes()
        with deaf_processes(READERS + 1) as pool:
            bench = Bench((servers[0], servers[1]), (urls[0], urls[1]), engine, pool, body, xml)
            for where in (PRIMARY, REPLICA):  # every process begins, and the pages come into memory
                bench.round(where, 1.5)
            task = bar.add_task("measuring", total=rounds * len(WHERE))
            for number in range(rounds):
                for place in range(len(WHERE)):
                    where = WHERE[(place + number) % len(WHERE)]
                    bar.update(task, description=where)
                    found[where].append(bench.round(where, seconds))
                    bar.advance(task)
            refused = bench.refused()
        engine.dispose()
        return found, servers[0].version(), refused


def filled(server: Server, made: list[dict[str, Any]], moved: Callable[[int], None]) -> str:
    """The gateway's tables with a year of messages and a day's charges; the database's name."""
    stock = prepared(server.url, MESSAGES, made, moved)
    reconcile.fill(stock.engine, CHARGES)
    name = stock.engine.url.database
    stock.engine.dispose()
    assert name is not None
    return name


if __name__ == "__main__":
    typer.run(main)
