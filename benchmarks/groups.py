"""`python -m benchmarks.groups [--write]`: two hospitals with a database each behind one address, under two minutes.

Messages of both go through the router in every form a sender may choose, and are then looked for in both databases.
What the router costs is measured beside the direct way; then one group is stopped while both hospitals send on.
"""

from __future__ import annotations

import http.client
import re
import statistics
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from benchmarks.group_messages import FORMS, SOAP_12, Form, Message, Sender
from benchmarks.load import run
from benchmarks.message import make_template
from benchmarks.report import Machine
from benchmarks.two_groups import OPERATIONS, USER, Group, NoRouter, Router, running
from benchmarks.workers import load
from gateway.contract import NAMESPACE

PAGE = Path(__file__).resolve().parent.parent / "docs" / "scale.md"
BEGIN, END = "<!-- groups: written by `python -m benchmarks.groups --write` -->", "<!-- end of the groups -->"
EACH = 3
"""How often each hospital sends each form of each operation."""
THREADS = 4
ROUNDS, SECONDS, WARM_UP, CONNECTIONS = 3, 2.0, 0.3, (1, 8)
UNKNOWN = "99999999-9"
CALM, STOPPED, PATIENCE = 2.0, 5.0, 40.0
GOOD = re.compile(rb"<(?:\w+:)?ResultCode>0<")
CODE = re.compile(rb"<(?:\w+:)?(?:Code|ResultCode)>([A-Z]+-\d+)<")
Rows = list[tuple[str, ...]]


@dataclass
class Answer:
    """What came back for one message."""

    status: int
    content: bytes
    seconds: float

    @property
    def good(self) -> bool:
        return self.status == 200 and GOOD.search(self.content) is not None

    @property
    def words(self) -> str:
        code = CODE.search(self.content)
        kind = "SOAP 1.2" if SOAP_12.encode() in self.content else "SOAP 1.1" if b"Envelope" in self.content else "text"
        return f"HTTP {self.status}, {kind}" + (f", {code[1].decode()}" if code else "")


class Line:
    """A connection to the one address, opened again when it was lost."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def post(self, message: Message) -> Answer:
        headers = message.headers | {"SOAPAction": f'"{NAMESPACE}/{message.operation}"'}
        begun = time.perf_counter()
        try:
            self._connection.request("POST", "/soap", message.body, headers)
            answer = self._connection.getresponse()
            return Answer(answer.status, answer.read(), time.perf_counter() - begun)
        except (OSError, http.client.HTTPException) as lost:
            self._connection.close()
            return Answer(0, type(lost).__name__.encode(), time.perf_counter() - begun)


@dataclass
class Book:
    """What was sent by whom and taken, to be compared with the databases."""

    taken: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """MessageIds with a good answer, by group."""
    good: list[tuple[str, str]] = field(default_factory=list)
    """Form and group of each good answer of the first part."""
    wrong: list[str] = field(default_factory=list)

    def compare(self, groups: Sequence[Group]) -> tuple[str, ...]:
        """How many messages of each are in its own database, and in the other's; anything missing is wrong."""
        strangers = 0
        for group in groups:
            journal = group.journal()
            own = {message for code, message in journal if code == group.hospital}
            strangers += sum(code != group.hospital or not _is_of(group, message) for code, message in journal)
            if missing := self.taken[group.name] - own:
                self.wrong.append(f"{len(missing)} of {group.name} are not in its database: {sorted(missing)[:3]}")
        if strangers:
            self.wrong.append(f"{strangers} messages are in a foreign database")
        return (*(f"{len(self.taken[group.name])}" for group in groups), str(strangers))


def _is_of(group: Group, message_id: str) -> bool:
    """Messages of the measuring (B...) are of the first hospital, as their HospitalCode says."""
    return message_id.startswith((group.name, "B"))


# --- every form -------------------------------------------------------------------------------------------------------


def send_forms(router: Router, groups: Sequence[Group], book: Book, advance: Callable[[], None]) -> None:
    """Both hospitals at once, from several threads, with the same numbers of requisitions."""
    jobs = [(group, number, form) for number in range(EACH) for form in FORMS for group in groups]

    def of_thread(own: Sequence[tuple[Group, int, Form]]) -> None:
        line = Line(router.port)
        for group, number, form in own:
            sender = group.sender(group.special if form.by_login else USER)
            for message in _story(sender, group.name, form, f"F{FORMS.index(form)}-{number}"):
                answer = line.post(message)
                if not answer.good:
                    book.wrong.append(f"{group.name}, {form.name}, {message.operation}: {answer.words}")
                    continue
                book.good.append((form.name, group.name))
                book.taken[group.name].add(message.message_id)
            advance()

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(of_thread, [jobs[start::THREADS] for start in range(THREADS)]))


def _story(sender: Sender, group: str, form: Form, number: str) -> Iterator[Message]:
    """One of each operation, about one requisition."""
    for operation in OPERATIONS:
        fields = {"RequisitionNo": f"R{number}"}
        if operation == "ReportVisitEvent":
            fields = {"EventNo": f"E{number}", "Event": "ADMIT", "VisitNo": f"V{number}"}
        elif operation == "PushCriticalValue":
            fields |= {"CriticalId": f"K{number}", "ReportNo": f"B{number}"}
        yield sender.message(operation, form, f"{group}-{operation[:8]}-{number}", **fields)


# --- what it costs ----------------------------------------------------------------------------------------------------


@dataclass
class Cost:
    """One way at one number of connections: of each round."""

    rates: list[float] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)
    router: list[float] = field(default_factory=list)
    """Microseconds of the router's CPU for each message."""


def measure(router: Router, group: Group, advance: Callable[[], None]) -> dict[tuple[int, str], Cost]:
    """SubmitRequisition direct and through the router, in turn."""
    template, first = make_template(USER, group.passwords[USER]), 1
    ways = {"direct": group.port, "through the router": router.port}
    found: dict[tuple[int, str], Cost] = defaultdict(Cost)
    for _ in range(ROUNDS):
        for connections in CONNECTIONS:
            for way, port in ways.items():
                cpu = router.cpu_seconds()
                outcome = run(port, connections, WARM_UP, SECONDS, first, template)
                cpu = router.cpu_seconds() - cpu
                first += 1_000_000
                if outcome.errors or not outcome.answers:
                    raise NoRouter(f"{outcome.errors} wrong answers {way}: the figures mean nothing.")
                cost = found[connections, way]
                cost.rates.append(outcome.answers / SECONDS)
                cost.milliseconds += outcome.milliseconds
                cost.router.append(cpu / outcome.all_answers * 1e6)
                advance()
    return found


def cost_rows(found: dict[tuple[int, str], Cost]) -> Rows:
    rows: Rows = []
    for (connections, way), cost in sorted(found.items()):
        cuts = statistics.quantiles(cost.milliseconds, n=100, method="inclusive")
        spread = f"{statistics.median(cost.rates):.0f} ({min(cost.rates):.0f}-{max(cost.rates):.0f})"
        router = f"{statistics.median(cost.router):.0f}" if way != "direct" else ""
        rows.append((str(connections), way, spread, f"{cuts[49]:.1f}", f"{cuts[98]:.1f}", router))
    return rows


# --- an unknown hospital, a stopped group -----------------------------------------------------------------------------


def unknown_rows(router: Router, groups: Sequence[Group], book: Book) -> Rows:
    """What a sender is told whose hospital is in no map, or not the group's of its login."""
    rows: Rows = []
    line, (first, second) = Line(router.port), groups
    senders = {
        f"{UNKNOWN} in no map, a login of the default group": Sender(UNKNOWN, USER, first.passwords[USER]),
        f"{UNKNOWN} in no map, a login only {second.name} knows, not in logins.map": Sender(
            UNKNOWN, USER, second.passwords[USER]
        ),
        f"{UNKNOWN} in no map, a login of {second.name} that is in logins.map": Sender(
            UNKNOWN, second.special, second.passwords[second.special]
        ),
        f"hospital of {second.name}, a login of {first.name}": Sender(
            second.hospital, first.special, first.passwords[first.special]
        ),
    }
    for who, sender in senders.items():
        told = [line.post(sender.message(OPERATIONS[0], form, "stray")) for form in FORMS[:2]]
        rows.append((who, "; ".join(answer.words for answer in told)))
        if any(b"AUT-40" not in answer.content for answer in told):
            book.wrong.append(f"{who}: {rows[-1][1]}")
    return rows


class Traffic(threading.Thread):
    """A hospital that sends requisitions without a pause, each again until it is taken."""

    def __init__(self, router: Router, group: Group, name: str, book: Book, ended: threading.Event) -> None:
        super().__init__(daemon=True)
        self.answers: list[tuple[float, Answer]] = []
        """When each answer came."""
        self._line, self._sender, self._group = Line(router.port), group.sender(USER), group
        self._number, self._book, self._ended = name, book, ended

    def run(self) -> None:
        number = 0
        while not self._ended.is_set():
            number += 1
            name = f"T{self._number}-{number}"
            message = self._sender.message(
                OPERATIONS[0], FORMS[number % 4], f"{self._group.name}-{name}", RequisitionNo=name
            )
            while not self._ended.is_set():
                answer = self._line.post(message)
                self.answers.append((time.monotonic(), answer))
                if answer.good:
                    self._book.taken[self._group.name].add(message.message_id)
                    break
                self._ended.wait(0.2)
            self._ended.wait(0.05)


def stop_one(router: Router, groups: Sequence[Group], book: Book, say: Callable[[str], None]) -> Rows:
    """The second group is stopped and started again while both send on."""
    goes_on, victim = groups
    ended = threading.Event()
    traffic = {group.name: [Traffic(router, group, str(n), book, ended) for n in range(2)] for group in groups}
    threads = [one for own in traffic.values() for one in own]
    for thread in threads:
        thread.start()
    try:
        time.sleep(CALM)
        say(f"{victim.name} is stopped")
        stopped = time.monotonic()
        victim.stop()
        time.sleep(STOPPED)
        say(f"{victim.name} is started again")
        started = time.monotonic()
        victim.start()
        back = _first_good(traffic[victim.name], started)
        time.sleep(1)
    finally:
        ended.set()
        for thread in threads:
            thread.join(PATIENCE)
    return _outage_rows(traffic, goes_on, victim, (stopped, started, back), book)


def _first_good(traffic: Sequence[Traffic], moment: float) -> float:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if found := [at for one in traffic for at, answer in list(one.answers) if at > moment and answer.good]:
            return min(found)
        time.sleep(0.05)
    raise NoRouter("The group that was started again takes no messages.")


def _outage_rows(
    traffic: dict[str, list[Traffic]], goes_on: Group, victim: Group, times: tuple[float, float, float], book: Book
) -> Rows:
    stopped, started, back = times
    others = [one for thread in traffic[goes_on.name] for one in thread.answers]
    during = [answer.seconds * 1000 for at, answer in others if stopped <= at < back]
    before = [answer.seconds * 1000 for at, answer in others if at < stopped]
    failed = sum(not answer.good for _, answer in others)
    if failed:
        book.wrong.append(f"{failed} messages of {goes_on.name} failed while {victim.name} was stopped")
    refused = [answer for thread in traffic[victim.name] for _, answer in thread.answers if not answer.good]
    kinds = Counter(answer.words for answer in refused).most_common()
    told = ", ".join(f"{count} × {words}" for words, count in kinds) or "none"
    longest = max((answer.seconds for answer in refused), default=0.0)
    return [
        (f"{goes_on.name}, before: answers, p50, longest ms", _told(before)),
        (f"{goes_on.name}, while {victim.name} is away for {back - stopped:.0f} s: the same", _told(during)),
        (f"{goes_on.name}: failed", str(failed)),
        (f"{victim.name}: answers that were no success", f"{told}; after {longest:.1f} s at most"),
        (f"{victim.name}: first success after `gateway serve` was called again", f"{back - started:.1f} s"),
    ]


def _told(values: Sequence[float]) -> str:
    return f"{len(values)}, {statistics.median(values):.0f}, {max(values):.0f}" if values else "none"


# --- the whole --------------------------------------------------------------------------------------------------------


@dataclass
class Part:
    """One table, at the terminal and in docs/scale.md."""

    title: str
    headings: tuple[str, ...]
    rows: Rows

    def table(self) -> Table:
        table = Table(title=self.title)
        for heading in self.headings:
            table.add_column(heading)
        for row in self.rows:
            table.add_row(*row)
        return table

    def markdown(self) -> str:
        lines = [self.headings, ("---",) * len(self.headings), *self.rows]
        return f"**{self.title}**\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines)


def play(bar: Progress, book: Book) -> tuple[tuple[str, str], list[Part]]:
    """Everything in turn; the versions of HAProxy and PostgreSQL, and the tables."""
    task = bar.add_task("starting two sites and HAProxy", total=len(FORMS) * EACH * 2 + ROUNDS * len(CONNECTIONS) * 2)

    def advance() -> None:
        bar.advance(task)

    def say(words: str) -> None:
        bar.update(task, description=words)

    with running() as (router, groups):
        say("sending every form")
        send_forms(router, groups, book, advance)
        unknown = unknown_rows(router, groups, book)
        say("measuring what the router costs")
        costs = cost_rows(measure(router, groups[0], advance))
        outage = stop_one(router, groups, book, say)
        say("looking into both databases")
        north, south, strangers = book.compare(groups)
        each, good = EACH * len(OPERATIONS), Counter(book.good)
        forms = [(form.name, *(f"{good[form.name, group.name]} of {each}" for group in groups)) for form in FORMS]
        forms.append(("these and those of the stopped group below, each found in its own database", north, south))
        forms.append(("found in the other hospital's database", strangers, ""))
        names = tuple(group.name for group in groups)
        versions = router.version, groups[0].database_version
    return versions, [
        Part("Messages of two hospitals through one address, good answers", ("sent as", *names), forms),
        Part(
            "SubmitRequisition, direct and through the router",
            ("clients", "way", "requests/s", "p50 ms", "p99 ms", "router CPU µs per message"),
            costs,
        ),
        Part("A hospital the router or the group does not know", ("message", "answer to SOAP 1.1; to 1.2"), unknown),
        Part("One group is stopped and started again under load", ("", ""), outage),
    ]


def main(
    write: Annotated[bool, typer.Option("--write/--no-write", help="Put the figures into docs/scale.md.")] = False,
) -> None:
    """Two hospitals, two databases, one address: what arrives where, and what the router costs."""
    console, before, begun = Console(width=max(120, Console().width)), load(), time.monotonic()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    book = Book()
    try:
        with Progress(*columns, console=console, transient=True) as bar:
            (haproxy, database), parts = play(bar, book)
    except NoRouter as problem:
        console.print(f"[red]{problem}[/red]")
        raise typer.Exit(1) from None
    for part in parts:
        console.print(part.table())
    console.print(f"{haproxy}; {time.monotonic() - begun:.0f} s; load average {before:.1f} before, {load():.1f} after")
    if book.wrong:
        console.print(f"[red]{'; '.join(book.wrong[:10])}[/red]")
        raise typer.Exit(1)
    if write:
        _write(haproxy, Machine.here(database, before).text, parts)
        console.print(f"Written: {PAGE}")


def _write(haproxy: str, machine: str, parts: Sequence[Part]) -> None:
    head = (
        f"{machine}, {load():.1f} after; {haproxy}, two groups with one web process each, clients, router and both "
        f"databases on the same cores, noisy. {ROUNDS} rounds of {SECONDS:g} s each, in turn: medians, smallest and "
        "largest in brackets."
    )
    section = "\n\n".join([head, *(part.markdown() for part in parts)])
    text = PAGE.read_text(encoding="utf-8")
    found = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.DOTALL)
    if not found.search(text):
        raise SystemExit(f"{PAGE} has lost its markers: {BEGIN} and {END}.")
    PAGE.write_text(found.sub(lambda _: f"{BEGIN}\n{section}\n{END}", text), encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
