"""`python -m tests.nodes.proof`: run it, print what was measured; exit code 1 when a promise is broken."""

from __future__ import annotations

import logging
import shutil
import signal
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tests.nodes.proof.balancer import NoBalancer
from tests.nodes.proof.network import network
from tests.nodes.proof.run import Findings, Proof, ProofFailed


def main(
    folder: Annotated[Path, typer.Option(help="Where it runs; emptied first.")] = Path("var/nodes"),
) -> None:
    """Kill, drain and cut off one of two nodes under load, restart their database, and measure."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 150
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    logging.getLogger("alembic").setLevel(logging.WARNING)
    place = folder.resolve()
    if place.exists() and not (place / "this-is-a-proof").exists() and any(place.iterdir()):
        raise typer.BadParameter(f"{place} holds something that is no proof: give another --folder.")
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    place.chmod(0o711)
    (place / "this-is-a-proof").touch()
    try:
        with network() as net, console.status("") as status:

            def say(words: str) -> None:
                status.update(f"{words} ...")
                if not console.is_terminal:
                    console.print(words)

            with Proof(net, place, say).running() as proof:
                proof.play()
            console.print(f"Nodes: {net.words}. In front: {proof.balancer.version}, deploy/haproxy.cfg.")
    except (ProofFailed, NoBalancer) as failed:
        console.print(f"✗ {failed}", style="bold red", markup=False)
        raise typer.Exit(1) from None
    console.print(drawn(proof.findings))
    for promise in proof.findings.broken:
        console.print(f"✗ broken: {promise}", style="bold red", markup=False)
    raise typer.Exit(1 if proof.findings.broken else 0)


def drawn(findings: Findings) -> Table:
    table = Table("", "what", "measured", "promised", "", box=None, pad_edge=False)
    before = ""
    for step, what, measured, promised, kept in findings.rows:
        mark = {True: "✓", False: "✗", None: ""}[kept]
        table.add_row(step if step != before else "", what, measured, promised, mark)
        before = step
    return table


typer.run(main)
