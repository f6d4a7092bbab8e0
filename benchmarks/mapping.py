"""`python -m benchmarks.mapping`: what a message of a partner with a contract of its own costs, beside bare zeep.

In process and without network: our request mapped and put into the partner's envelope, its kept answer understood.
Beside each stands zeep alone, given the finished parameters: what is left is the mapping. The partners are those of
gateway/examples/partners; the last line is a partner that speaks our contract.
"""

from __future__ import annotations

import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from lxml import etree
from rich.console import Console
from rich.progress import track
from rich.table import Table

from gateway.config import load_settings
from gateway.contract import Contract
from gateway.mapping.codes import UnmappedPolicy
from gateway.messages.wire import Wire
from gateway.operations.dispatch import Origin
from gateway.partner_config import Partner
from gateway.partners.addressing import Stamp, addressed
from gateway.partners.client import PartnerClient
from gateway.partners.foreign import ForeignClient
from gateway.partners.mapped import Mapped, Surroundings
from gateway.simulators.vendors.typed import EXAMPLES

OPERATION = "SubmitRequisition"
KINDS = ("ultrasound", "pharmacy", "pacs", "anaesthesia")
ORIGIN = Origin("T1", "44643245-7", "01", "HIS", "HIS-1")
STAMP = Stamp("GW-1", ORIGIN)


class PassedOn:
    """Code tables in which every code is its own."""

    policy = UnmappedPolicy.PASS

    def translate(self, table: str, value: str, **_: object) -> str:
        return value


def milliseconds(work: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Minimum and median of single runs."""
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        taken.append((time.perf_counter() - began) * 1000)
    return min(taken), statistics.median(taken)


def example(kind: str, folder: Path) -> Partner:
    (folder / "partners").mkdir(parents=True, exist_ok=True)
    (folder / "gateway.toml").write_text('hospital_code = "44643245-7"\n')
    place = folder / "partners" / kind
    if not place.exists():
        place.symlink_to(EXAMPLES / kind)
    return load_settings(folder).partner(kind)


def main(rounds: Annotated[int, typer.Option(help="Runs of each.")] = 300) -> None:
    """Print a table."""
    contract = Contract()
    wire = Wire(contract, UTC)
    around = Surroundings(contract, wire, lambda: datetime.now(UTC), PassedOn())
    body = etree.parse(contract.sample(OPERATION)).getroot()[-1]
    request = wire.read(f"{OPERATION}Request", body[0][0])
    table = Table("partner", "dialect", "mapped and written, ms", "zeep alone, ms", "answer understood, ms", box=None)
    with tempfile.TemporaryDirectory() as scratch:
        for kind in track(KINDS, "Measuring", transient=True):
            table.add_row(kind, *_mapped(example(kind, Path(scratch)), around, request, rounds))
    table.add_row("our contract", "canonical", *_canonical(around, request, rounds))
    console = Console()
    console.print(table)
    console.print(f"minimum / median of {rounds} runs, one process, Python {platform.python_version()}")


def _mapped(partner: Partner, around: Surroundings, request: Any, rounds: int) -> tuple[str, ...]:
    mapped, client = Mapped(partner, around), ForeignClient(partner)
    name, _ = mapped.rehearse(OPERATION, request, STAMP)
    mapping = mapped.mapping(OPERATION, "NEW")
    made, _ = mapped._made(OPERATION, mapping, request, STAMP)
    content = mapped.content(mapping, made, STAMP)
    whole = milliseconds(lambda: mapped.rehearse(OPERATION, request, STAMP), rounds)
    alone = milliseconds(lambda: client.envelope(name, content), rounds)
    kept = partner.folder / "samples" / f"{OPERATION}.reply.xml"
    if not kept.exists():
        return partner.dialect, _shown(whole), _shown(alone), "no reply kept"
    root = etree.parse(str(kept)).getroot()
    child = root[-1][0] if etree.QName(root).localname == "Envelope" else root
    answer = milliseconds(lambda: mapped.understand(OPERATION, request, STAMP, child), rounds)
    return partner.dialect, _shown(whole), _shown(alone), _shown(answer)


def _canonical(around: Surroundings, request: Any, rounds: int) -> tuple[str, str]:
    ours = Partner(name="PACS", url="http://127.0.0.1:9/soap")
    service, now = PartnerClient(ours, around.contract.folder)._built(), datetime.now(UTC)
    plain = around.wire.plain(addressed(ours, OPERATION, request, STAMP, now))

    def write() -> object:
        return service._client.create_message(service, OPERATION, Request=plain)

    def whole() -> object:
        message = around.wire.plain(addressed(ours, OPERATION, request, STAMP, now))
        return service._client.create_message(service, OPERATION, Request=message)

    return _shown(milliseconds(whole, rounds)), _shown(milliseconds(write, rounds))


def _shown(figures: tuple[float, float]) -> str:
    return f"{figures[0]:.2f} / {figures[1]:.2f}"


if __name__ == "__main__":
    typer.run(main)
