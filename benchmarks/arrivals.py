"""How far one gateway reaches, and what comes after: `python -m benchmarks.arrivals`.

    python -m benchmarks.arrivals measure     what each message costs here
    python -m benchmarks.arrivals point       the real gateway at a rate, beside the same arrivals in the simulation
    python -m benchmarks.arrivals simulate    small and large sites in their busiest hour; writes docs/scale.md

Nothing is scaled by a factor: arrivals are drawn message by message, wait in queues, meet bursts, batches, clients that
repeat after ten seconds and partners that were away.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks import service_times
from benchmarks.plot import lines
from benchmarks.report import write_between
from benchmarks.service_times import Measured, Point
from benchmarks.simulation import Delivery, Partner, Simulation, Stage, Station, quantile

ROOT = Path(__file__).resolve().parent.parent
TIMES, POINTS = ROOT / "benchmarks" / "service-times.json", ROOT / "benchmarks" / "real-points.json"
PAGE, PICTURE = ROOT / "docs" / "scale.md", ROOT / "docs" / "scale.svg"
BEGIN, END = "<!-- figures: written by `python -m benchmarks.arrivals simulate` -->", "<!-- end of the figures -->"

MIX = {
    "SubmitRequisition": 15_000,
    "ReportStatus": 15_000,
    "ReportStatus EXAM_DONE": 45_000,
    "SubmitReport": 16_000,
    "ChargeItem": 12_000,
    "RefundItem": 450,
    "PushCriticalValue": 200,
    "AcknowledgeCriticalValue": 650,
    "GetMedicalRecord": 22_000,
}
"""Messages a day of a hospital with 3,000 beds and 7,500 visits a day, by what is measured of each; an estimate."""
A_DAY = sum(MIX.values())
PEAK_HOUR = 0.17 * A_DAY / 3600
"""Messages a second in the busiest hour of a Monday."""
FORWARDS = {
    "SubmitRequisition": ("PACS",),
    "ReportStatus": ("HIS",),
    "ReportStatus EXAM_DONE": ("HIS",),
    "SubmitReport": ("HIS", "EMR"),
    "RefundItem": ("HIS",),
    "PushCriticalValue": ("EMR",),
    "AcknowledgeCriticalValue": ("LIS",),
}
ASKED = {"ReportStatus": 0.5, "ChargeItem": 1.0, "RefundItem": 1.0, "PushCriticalValue": 1.0, "GetMedicalRecord": 1.0}
"""How many of these callers wait for a partner's answer: of registrations those of inpatients."""
PARTNER_MEDIAN, PARTNER_SPREAD = 0.06, 1.1
"""Seconds a partner takes, log-normal: half within 60 ms, one in a hundred more than 0.8 s. Assumed, not measured."""
CLIENT_PATIENCE, CLIENT_PAUSE, REPETITIONS = 10.0, 5.0, 3
WARM_UP = 3.0
"""Seconds of a real point that do not count: every connection and thread begins in them."""
SLICE = 0.004
"""Seconds for which other work on the machine keeps a core, each time."""
BATCH, BATCH_EVERY, BATCH_CLIENTS = 300, 900.0, 4
"""Every quarter of an hour a vendor's program reports 300 statuses as fast as they are answered, four at once."""


@dataclass(frozen=True)
class Machine:
    """Cores for the web server, for PostgreSQL, and delivery processes; `shared`: all on the same cores."""

    web: int
    database: int
    workers: int
    shared: bool = False
    slots: int = 4

    def __str__(self) -> str:
        if self.shared:
            return f"{self.web} cores for all, {self.slots} slots"
        return f"{self.web} web, {self.database} database, {self.workers} delivery, {self.slots} slots"


@dataclass(frozen=True)
class Step:
    """A site and what it meets."""

    name: str
    seconds: float
    hospitals: int
    rate: float
    """Messages a second of each hospital, apart from bursts and batches."""
    burst: float = 3.0
    """How much more comes in its one minute of burst."""
    batches: bool = True
    hour: float = 3600.0
    """Within how many seconds every hospital has its minute of burst."""
    backlog: int = 0
    """Deliveries that wait for HIS when it comes back."""


@dataclass
class Result:
    """What a step came to on a machine."""

    step: Step
    machine: Machine
    arrivals: int = 0
    most_in_a_second: int = 0
    seconds_of: list[float] = field(default_factory=list)
    """Until the answer, for each message."""
    timeouts: int = 0
    utilisation: dict[str, float] = field(default_factory=dict)
    longest_queue: int = 0
    longest_backlog: int = 0
    delivery_waits: list[float] = field(default_factory=list)
    drained_after: float | None = None

    @property
    def p99(self) -> float:
        return quantile(self.seconds_of, 0.99)

    @property
    def holds(self) -> bool:
        """Callers get their answer in time and what waits for partners does not grow without end."""
        delivered = bool(self.step.backlog) or quantile(self.delivery_waits, 0.99) < 60
        return self.timeouts == 0 and self.p99 < 2 and max(self.utilisation.values()) < 0.9 and delivered


class Site:
    """One gateway in the simulation."""

    def __init__(self, measured: Measured, machine: Machine, seed: int, *, partner: float | None = None) -> None:
        self.simulation, self.chance, self._measured = Simulation(), random.Random(seed), measured
        shared = Station("cores", machine.web) if machine.shared else None
        self.web = shared or Station("web", machine.web)
        self.database = shared or Station("database", machine.database)
        self._workers = [shared or Station("delivery", 1) for _ in range(machine.workers)]
        self.partners = {name: Partner(self.simulation, machine.slots) for name in ("HIS", "PACS", "LIS", "EMR")}
        self._partner_seconds = partner
        self._shape = {name: _factors(cost.walls) for name, cost in measured.operations.items()}
        self._locks = 0

    @property
    def stations(self) -> list[Station]:
        return list({id(one): one for one in (self.web, self.database, *self._workers)}.values())

    def message(self, operation: str, answered: Callable[[], None]) -> None:
        """One message comes in; `answered` is called with its answer."""

        def done() -> None:
            answered()
            for name in FORWARDS.get(operation, ()):
                self.deliver(name, self._locks)

        self._locks += 1
        self.simulation.go(self.stages(operation), done)

    def stages(self, operation: str) -> Iterator[Stage]:
        cost, factor = self._measured.operations[operation], self.chance.choice(self._shape[operation])
        yield self.web, cost.web * factor / 2
        yield self.database, cost.database * factor
        yield None, max(cost.wall - cost.web - cost.database, 0) * factor
        if self.chance.random() < ASKED.get(operation, 0):
            yield None, self.partner_seconds()
        yield self.web, cost.web * factor / 2

    def deliver(self, partner: str, lock: int) -> None:
        self.partners[partner].put(Delivery(lock, self.simulation.now, lambda: self._delivery(partner)))

    def _delivery(self, partner: str) -> Iterator[Stage]:
        owner = self._workers[sorted(self.partners).index(partner) % len(self._workers)]
        yield owner, self._measured.delivery_worker
        yield self.database, self._measured.delivery_database
        yield None, self.partner_seconds()

    def partner_seconds(self) -> float:
        if self._partner_seconds is not None:
            return self._partner_seconds
        return PARTNER_MEDIAN * self.chance.lognormvariate(0, PARTNER_SPREAD)


def _factors(walls: list[float]) -> list[float]:
    """The shape of what was measured: each message's time as a share of the middle one."""
    middle = sorted(walls)[len(walls) // 2]
    return [wall / middle for wall in walls]


def simulate(step: Step, machine: Machine, measured: Measured, seed: int = 1) -> Result:
    """Let a step happen on a machine."""
    site, result = Site(measured, machine, seed), Result(step, machine)
    simulation, chance, per_second = site.simulation, site.chance, Counter[int]()
    operations, weights = list(MIX), list(MIX.values())

    def arrive(operation: str, then: Callable[[], None] = lambda: None, repeated: int = 0) -> None:
        begun, is_answered = simulation.now, False
        if not repeated:
            result.arrivals += 1
        per_second[int(begun)] += 1

        def answered() -> None:
            nonlocal is_answered
            is_answered = True
            result.seconds_of.append(simulation.now - begun)
            if simulation.now - begun <= CLIENT_PATIENCE:
                then()

        def give_up() -> None:
            if not is_answered:
                result.timeouts += 1
                if repeated < REPETITIONS:
                    again = simulation.now + CLIENT_PAUSE
                    simulation.at(again, lambda: arrive(operation, then, repeated + 1))

        simulation.at(begun + CLIENT_PATIENCE, give_up)
        site.message(operation, answered)

    def batch(left: int) -> None:
        if left:
            arrive("ReportStatus EXAM_DONE", lambda: batch(left - 1))

    for _ in range(step.hospitals):
        for when in _times(step, chance):
            simulation.at(when, partial(arrive, chance.choices(operations, weights)[0]))
        if step.batches:
            first = chance.uniform(0, BATCH_EVERY)
            for number in range(int((step.seconds - first) // BATCH_EVERY) + 1 if first < step.seconds else 0):
                for _ in range(BATCH_CLIENTS):
                    simulation.at(first + number * BATCH_EVERY, lambda: batch(BATCH // BATCH_CLIENTS))
    for number in range(step.backlog):
        site.deliver("HIS", -1 - number // 2)
    simulation.run(step.seconds)
    worked = {station.name: 0.0 for station in site.stations}
    servers = Counter[str]()
    for station in site.stations:
        worked[station.name] += station.busy
        servers[station.name] += station.servers
    result.utilisation = {name: min(busy / servers[name] / step.seconds, 1.0) for name, busy in worked.items()}
    result.longest_queue = max(station.longest for station in site.stations)
    result.most_in_a_second = max(per_second.values(), default=0)
    result.longest_backlog = sum(partner.longest for partner in site.partners.values())
    result.delivery_waits = [wait for partner in site.partners.values() for wait in partner.waits]
    if step.backlog:
        result.drained_after = site.partners["HIS"].drained_at
    return result


def _times(step: Step, chance: random.Random) -> Iterator[float]:
    """When one hospital's messages come: by chance around its rate, more in its minute of burst."""
    burst, now = chance.uniform(-60, step.hour - 60), 0.0
    most = step.rate * max(step.burst, 1)
    while (now := now + chance.expovariate(most)) < step.seconds:
        rate = step.rate * (step.burst if burst <= now < burst + 60 else 1)
        if chance.random() < rate / most:
            yield now


# --- one real point, and the same simulated ---------------------------------------------------------------------------


def plan(rate: float, seconds: float, seed: int = 7) -> list[tuple[float, str]]:
    """Arrivals for the real gateway."""
    chance, now, arrivals = random.Random(seed), 0.0, []
    names = [name for name in MIX if name not in ("RefundItem", "AcknowledgeCriticalValue")]
    while (now := now + chance.expovariate(rate)) < seconds:
        arrivals.append((now, chance.choices(names, [MIX[name] for name in names])[0]))
    return arrivals


def simulated_point(point: Point, measured: Measured) -> list[float]:
    """The same arrivals in the simulation, with clients, partners and other work on the same two cores as they were."""
    machine = Machine(web=2, database=2, workers=1, shared=True)
    site, seconds = Site(measured, machine, 3, partner=0.0), []
    extra = measured.client + measured.partner

    for due, operation, _ in point.answers:

        def arrive(operation: str = operation, due: float = due) -> None:
            site.simulation.go([(site.web, extra)], lambda: None)
            site.message(operation, lambda: due > WARM_UP and seconds.append(site.simulation.now - due))

        site.simulation.at(due, arrive)
    now = 0.0
    while point.others > 0 and (now := now + site.chance.expovariate(point.others / SLICE)) < point.seconds:
        site.simulation.at(now, lambda: site.simulation.go([(site.web, SLICE)], lambda: None))
    site.simulation.run()
    return seconds


# --- the steps --------------------------------------------------------------------------------------------------------

SMALL, FOUR, EIGHT = Machine(2, 2, 1, shared=True), Machine(4, 4, 2), Machine(8, 8, 4, slots=16)
DESIGN = Step("design load, 50/s, a minute of 100/s", 300, 1, 50, burst=2, batches=False, hour=240)
OUTAGE = Step("after an hour's outage of HIS, 30,000 waiting", 1200, 1, PEAK_HOUR, backlog=30_000)
REGION = Step("region of 30 hospitals, five minutes of Monday's peak", 300, 30, 55 / 30)
HUNDRED = Step("region of 100 hospitals, a minute of it", 60, 100, 55 / 30)
STEPS: tuple[tuple[Step, tuple[Machine, ...]], ...] = (
    (Step("community hospital, Monday's peak hour", 3600, 1, PEAK_HOUR / 20), (SMALL,)),
    (Step("hospital of 3,000 beds, Monday's peak hour", 3600, 1, PEAK_HOUR), (SMALL, FOUR)),
    (DESIGN, (SMALL, FOUR, replace(FOUR, slots=16))),
    (OUTAGE, (SMALL, replace(SMALL, slots=16), replace(FOUR, slots=16))),
    (REGION, (SMALL, FOUR, replace(FOUR, slots=16))),
    (HUNDRED, (EIGHT, Machine(16, 16, 4, slots=64))),
)
GROUPS = 3
"""How many of the hundred groups of a national platform are simulated, each with chances of its own."""


def run_steps(measured: Measured, advance: Callable[[str], None]) -> tuple[list[Result], list[Result]]:
    results = []
    for step, machines in STEPS:
        for machine in machines:
            results.append(simulate(step, machine, measured))
            advance(step.name)
    groups = []
    for seed in range(GROUPS):
        groups.append(simulate(REGION, replace(FOUR, slots=16), measured, seed=100 + seed))
        advance("groups")
    return results, groups


HEADINGS = (
    "step", "machine", "messages/s", "most in a second", "busy", "longest queue", "p50 ms", "p99 ms", "time-outs",
    "delivery p99 s", "most waiting", "holds",
)  # fmt: skip


def row(result: Result) -> list[str]:
    busy = ", ".join(f"{name} {share:.0%}" for name, share in result.utilisation.items())
    drained = f", drained after {result.drained_after:.0f} s" if result.drained_after else ""
    waiting = f"{result.longest_backlog:,}{drained}"
    if result.step.backlog and not result.drained_after:
        waiting += ", not drained"
    return [
        result.step.name,
        str(result.machine),
        f"{result.arrivals / result.step.seconds:.1f}",
        str(result.most_in_a_second),
        busy,
        f"{result.longest_queue:,}",
        f"{quantile(result.seconds_of, 0.5) * 1e3:.0f}",
        f"{result.p99 * 1e3:,.0f}",
        f"{result.timeouts:,}",
        f"{quantile(result.delivery_waits, 0.99):.1f}",
        waiting,
        "yes" if result.holds else "no",
    ]


def curve(measured: Measured) -> dict[str, list[tuple[float, float]]]:
    """p99 against messages a second, for three machines: where each of them breaks."""
    drawn: dict[str, list[tuple[float, float]]] = {}
    for machine in (SMALL, replace(FOUR, slots=16), EIGHT):
        points = drawn.setdefault(str(machine), [])
        for rate in (5, 10, 20, 40, 60, 80, 110, 150, 200, 270, 350, 450):
            result = simulate(Step("", 30, 1, rate, burst=1, batches=False), machine, measured)
            points.append((rate, result.p99 * 1e3))
            if result.p99 > 3:
                break
    return drawn


# --- the command ------------------------------------------------------------------------------------------------------

app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.command()
def measure(count: Annotated[int, typer.Option(min=10, help="Messages of each operation.")] = 100) -> None:
    """Measure what each message costs; kept in benchmarks/service-times.json."""
    with Progress(transient=True) as progress, service_times.running() as gateway:
        task = progress.add_task("measuring", total=len(service_times.OPERATIONS) + 1)
        measured = service_times.measure(
            gateway, count, lambda what: progress.update(task, advance=1, description=what)
        )
    service_times.write(measured, TIMES)
    Console().print(_costs(measured))


@app.command()
def point(
    rate: Annotated[float, typer.Option(min=1, help="Messages a second.")] = 10,
    seconds: Annotated[float, typer.Option(min=5)] = 20,
) -> None:
    """Send to the real gateway at a rate, and simulate the same; kept in benchmarks/real-points.json."""
    with service_times.running() as gateway:
        found = service_times.run_at(gateway, plan(rate, seconds))
    points = [one for one in _points() if round(one.rate) != round(found.rate)] + [found]
    POINTS.write_text(json.dumps([asdict(one) for one in points]) + "\n", encoding="utf-8")
    Console().print(_comparison([found], service_times.read(TIMES)))


def _points() -> list[Point]:
    return [Point(**one) for one in json.loads(POINTS.read_text(encoding="utf-8"))] if POINTS.exists() else []


@app.command("simulate")
def simulate_all(write: Annotated[bool, typer.Option("--write/--no-write", help="Into docs/scale.md.")] = True) -> None:
    """Every step at the measured costs."""
    measured, points = service_times.read(TIMES), sorted(_points(), key=lambda one: one.rate)
    console = Console(width=max(Console().width, 170))
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("simulating", total=sum(len(machines) for _, machines in STEPS) + GROUPS)
        results, groups = run_steps(measured, lambda what: progress.update(task, advance=1, description=what))
    tables = (_costs(measured), _comparison(points, measured), _steps(results), _groups(groups))
    for table in tables:
        console.print(table)
    if write:
        PICTURE.write_text(
            lines("p99 of an answer, ms", "messages a second", curve(measured), top=3000), encoding="utf-8"
        )
        figures = "\n\n".join((_where_from(measured), *(_markdown(table) for table in tables)))
        console.print(f"Written: {write_between(PAGE, BEGIN, END, figures)}, {PICTURE}")


def _where_from(measured: Measured) -> str:
    return (
        f"Measured {measured.when} on {measured.machine}; load average {measured.load} before, other work beside it. "
        f"One delivery costs {measured.delivery_worker * 1e3:.1f} ms of the delivery process and "
        f"{measured.delivery_database * 1e3:.1f} ms of PostgreSQL; one process drained {measured.delivery_rate:.0f} a "
        "second with simulated partners on the same cores."
    )


def _table(title: str, headings: tuple[str, ...], rows: list[list[str]]) -> Table:
    table = Table(*headings, title=title)
    for one in rows:
        table.add_row(*one)
    return table


def _costs(measured: Measured) -> Table:
    rows = [
        [
            name,
            f"{cost.wall * 1e3:.1f}",
            f"{quantile(cost.walls, 0.99) * 1e3:.1f}",
            f"{cost.web * 1e3:.1f}",
            f"{cost.database * 1e3:.1f}",
        ]
        for name, cost in measured.operations.items()
    ]
    headings = ("operation", "median ms", "p99 ms", "web CPU ms", "database CPU ms")
    return _table("What a message costs, one at a time (measured)", headings, rows)


def _comparison(points: list[Point], measured: Measured) -> Table:
    rows = []
    for point in points:
        real = [seconds for due, _, seconds in point.answers if due > WARM_UP]
        told = {"real": real, "simulated": simulated_point(point, measured)}
        for name, values in told.items():
            quantiles = [f"{quantile(values, share) * 1e3:.0f}" for share in (0.5, 0.95, 0.99)]
            rows.append([f"{point.rate:.0f}", f"{point.others:.1f}", name, *quantiles])
    headings = ("messages/s", "cores of other work", "", "p50 ms", "p95 ms", "p99 ms")
    return _table("The same arrivals at the real gateway and in the simulation, on two shared cores", headings, rows)


def _steps(results: list[Result]) -> Table:
    return _table("The steps (simulated)", HEADINGS, [row(result) for result in results])


def _groups(groups: list[Result]) -> Table:
    title = f"3,000 hospitals: {GROUPS} of 100 groups of 30, each with its own gateway and database (simulated)"
    return _table(title, HEADINGS, [row(result) for result in groups])


def _markdown(table: Table) -> str:
    columns = [[str(column.header), *map(str, column.cells)] for column in table.columns]
    head, *body = zip(*columns, strict=True)
    made = [f"| {' | '.join(head)} |", "| --- " * len(head) + "|", *(f"| {' | '.join(one)} |" for one in body)]
    return "\n".join((f"### {table.title}", *made))


if __name__ == "__main__":
    app(prog_name="python -m benchmarks.arrivals")
