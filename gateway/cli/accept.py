"""`gateway accept`: try a partner by scripted cases, and write a report both sides can sign."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from gateway.acceptance.kit import Kit
from gateway.acceptance.report import WORDS, write_report
from gateway.acceptance.running import chosen, run
from gateway.bootstrap.core import make_core
from gateway.cli.partners import shown_address
from gateway.cli.terminal import (
    FAILED,
    HERE,
    WRONG,
    Failure,
    Folder,
    is_wanted,
    note,
    plain_table,
    progress,
    say,
    show,
)
from gateway.config import Settings, load_settings
from gateway.contract import Contract, snake_case
from gateway.database.errors import DatabaseError
from gateway.mapping.errors import MappingFailed
from gateway.messages.wire import Wire
from gateway.operations.dispatch import UNMAPPED
from gateway.partner_config import INSURANCE_INTERFACE, OUR_CONTRACT, Partner
from gateway.partners.registry import Partners

COLOURS = {"good": "green", "bad": "bold red", "quiet": "dim"}


def add_to(app: typer.Typer) -> None:
    app.command()(accept)


def accept(
    name: Annotated[str, typer.Argument(metavar="PARTNER", help="The partner, as its folder is named.")],
    folder: Folder = HERE,
    report: Annotated[
        Path | None, typer.Option(help="Where the page goes; acceptance/<partner>-<run>.html in the site when absent.")
    ] = None,
    case: Annotated[list[str] | None, typer.Option(help="Only these cases, or all that begin so: CHG.")] = None,
    given: Annotated[
        list[str] | None,
        typer.Option(help="What the partner's test system knows: RequisitionNo=SQ1, PatientId=P1, VisitNo=ZY1."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether to send.")] = False,
) -> None:
    """Send invented messages to a partner's TEST system, see whether it does all a hospital relies on,
    and write a report. Ends with 1 when a case has failed.
    """
    settings = load_settings(folder)
    partner = settings.partner(name)
    if partner.dialect == INSURANCE_INTERFACE:
        raise Failure("An insurance platform is accepted by its own rules: there are no cases for it.", WRONG)
    try:
        cases = chosen(case or [])
    except LookupError as unknown:
        raise Failure(f"There is no case {unknown}.", WRONG) from None
    operations = _operations(settings, partner)
    if not operations:
        raise Failure(f"Nothing is routed to {name}: name it in [[routes]] of gateway.toml first.", WRONG)
    address = shown_address(partner)
    if not is_wanted(yes, f"This books charges and sends requisitions at {address}. Is that a TEST system?"):
        return
    kit = _kit(settings, partner, operations, _facts(given or []))
    try:
        kit.look_over()
    except LookupError as unknown:
        (fact,) = (one for one in given or [] if snake_case(one.partition("=")[0]) == unknown.args[0])
        raise Failure(f"--given {fact}: no message {name} is sent has a text of that name.", WRONG) from None
    except MappingFailed as problem:
        raise Failure(f"{partner.path('samples')}: {problem}", WRONG) from None
    with progress(f"Accepting {name}", len(cases)) as tell:
        acceptance = run(kit, cases, address, lambda: datetime.now(settings.zone), tell)
    table = plain_table("CASE", "RESULT", "WHAT IS WANTED", "REMARK")
    for finding in acceptance.findings:
        if finding in acceptance.not_sent:
            continue
        _, word, kind = WORDS[finding.verdict]
        table.add_row(finding.case.number, f"[{COLOURS[kind]}]{word}[/]", finding.case.en, escape(finding.en))
    show(table)
    if acceptance.not_sent:
        say(f"{len(acceptance.not_sent)} cases were not tried: {name} is not sent what they are about.")
    if any(one.code == UNMAPPED for finding in acceptance.findings for one in finding.exchanges):
        note(
            f"Codes of the messages have no row: `gateway partner check {name}` names the code tables it asks; import "
            f"them, or let values pass with `gateway codes policy TABLE pass --partner {name}`."
        )
    path = report or folder / "acceptance" / f"{name}-{acceptance.run}.html"
    digest = write_report(acceptance, path)
    say(f"{'Passed' if acceptance.is_passed else 'Not passed'}. Report {path}, digest {digest}")
    if not acceptance.is_passed:
        raise typer.Exit(FAILED)


def _operations(settings: Settings, partner: Partner) -> frozenset[str]:
    """What the partner is sent: by its own settings, or by the routes."""
    if partner.dialect != OUR_CONTRACT:
        return frozenset(partner.operations)
    routed = {route.operation for route in settings.routes if partner.name in route.partners}
    return frozenset(routed | ({"RefundItem", "QueryTransaction"} if "ChargeItem" in routed else set()))


def _facts(given: list[str]) -> dict[str, str]:
    facts = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or not name or not value:
            raise Failure(f"--given {one} must be written as Name=value.", WRONG)
        facts[snake_case(name)] = value
    return facts


def _kit(settings: Settings, partner: Partner, operations: frozenset[str], given: dict[str, str]) -> Kit:
    contract = Contract()
    wire = Wire(contract, settings.zone)

    def now() -> datetime:
        return datetime.now(settings.zone)

    try:
        partners = make_core(settings, pool_size=2).partners
    except DatabaseError:  # nothing of it is stored; only code tables would be asked for
        partners = Partners([partner], contract, wire, now)
    return Kit(partner, partners, contract, wire, now, operations, given, settings.hospital_code)
