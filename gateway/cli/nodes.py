"""Commands about the nodes of a site: who is there, and taking one out of service."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console

from gateway.cli.terminal import HERE, Failure, Folder, note, plain_table, say, show
from gateway.config import Settings, load_settings
from gateway.delivery.leases import owners
from gateway.nodes.listing import Process, disagreements, order_drain, processes
from gateway.site import audit, database_session


def add_to(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="The machines that share the site's database.")
    group.command("list")(list_nodes)
    group.command("drain")(drain)
    app.add_typer(group, name="node")


def list_nodes(folder: Folder = HERE) -> None:
    """The processes of all nodes, and which of them serves which partner."""
    settings = load_settings(folder)
    with database_session(settings) as session:
        found = processes(session)
        served = owners(session, [partner.name for partner in settings.partners])
    table = plain_table("NODE", "PROCESS", "HOST", "PID", "VERSION", "STATE", "SINCE", "SEEN", "PARTNERS")
    for one in found:
        row = one.row
        partners = [name for name, number in served.items() if number == row.lease] if row.lease is not None else []
        since = f"{row.started_at.astimezone(settings.zone):%m-%d %H:%M:%S}"
        words = (row.node, row.kind, row.host, str(row.pid), f"{row.version} ({row.revision})", one.state, since)
        table.add_row(*words, f"{max(one.silent_seconds, 0):.0f} s ago", ", ".join(partners))
    show(table)
    _tell_what_is_wrong(settings, found, served)


def _tell_what_is_wrong(settings: Settings, found: Sequence[Process], served: dict[str, int]) -> None:
    for what, nodes in disagreements(found).items():
        note(f"{what} is not the same on {' and '.join(nodes)}.")
    nobody = [partner.name for partner in settings.partners if partner.name not in served]
    if nobody:
        note(f"Served by nobody at this moment: {', '.join(nobody)}.")


def drain(
    node: Annotated[str | None, typer.Argument(metavar="NAME", help="This folder's node when not said.")] = None,
    wait: Annotated[float, typer.Option("--wait", min=0, metavar="SECONDS", help="For its processes to end.")] = 120,
    folder: Folder = HERE,
) -> None:
    """Take a node out of service: it says so to the balancer, hands its partners over, finishes and ends."""
    settings = load_settings(folder)
    name = node or settings.node_name
    with database_session(settings) as session:
        if not order_drain(session, name):
            known = sorted({one.row.node for one in processes(session) if one.is_alive})
            raise Failure(f"No process of a node {name} is alive; alive are: {', '.join(known) or 'none'}.")
        audit(session, "DRAIN_NODE", f"node {name}")
        session.commit()
        deadline, left = time.monotonic() + wait, 1
        with Console(stderr=True).status(f"Node {name} drains ..."):
            while left and time.monotonic() < deadline:
                time.sleep(0.5)
                left = sum(one.is_alive for one in processes(session, name))
                session.rollback()
    if not left:
        say(f"Node {name} has ended.")
    elif wait:
        raise Failure(f"{left} processes of node {name} are still at work after {wait:g} s: look at its log.")
    else:
        say(f"Node {name} drains.")
