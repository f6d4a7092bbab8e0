"""Commands about the site as a whole: make its folder, check that everything is as it must be."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from gateway import migrate
from gateway.cli import facades
from gateway.cli.partner_check import broken_files
from gateway.cli.partners import shown_address
from gateway.cli.terminal import FAILED, HERE, WRONG, Failure, Folder, note, say
from gateway.config import ConfigurationError, Settings, load_settings
from gateway.contract import Contract, ContractError
from gateway.database.errors import DatabaseError
from gateway.facade_config import Facade
from gateway.mapping.errors import StylesheetBroken
from gateway.mapping.stylesheet import Stylesheet, located
from gateway.nodes.joining import refuse_foreign_key
from gateway.partner_config import HOOK, Partner
from gateway.partner_security import Tls
from gateway.partners.expiry import ending, terms_of_partner
from gateway.partners.field_limits import unknown_fields
from gateway.partners.files import UnusableFile
from gateway.partners.tls import make_context, tls_warnings
from gateway.security.clients import list_clients
from gateway.security.secrets import KeyFileError, Secrets, create_key_file
from gateway.site import database_session, database_url

SITE_FILES = Path(__file__).parent / "site_files"
EXAMPLE_PARTNERS = ("HIS", "PACS", "LIS", "EMR")
PLACEHOLDER = "MY-HOSPITAL"
HOSPITAL_CODE = re.compile(r"[!#-\[\]-~]{1,22}")

WRONG_SITE = (ConfigurationError, KeyFileError, ContractError, DatabaseError, Failure, UnusableFile, OSError)

Finding = tuple[str, str]
"""What was checked, and what was found."""


def add_to(app: typer.Typer) -> None:
    app.command("init")(init)
    app.command("check")(check)


def init(
    folder: Folder = HERE,
    hospital_code: Annotated[
        str | None, typer.Option("--hospital-code", metavar="CODE", help="HospitalCode of the hospital's messages.")
    ] = None,
) -> None:
    """Make a site's folder: gateway.toml, secret.key, an example for each kind of partner. Nothing is overwritten."""
    if hospital_code is not None and not HOSPITAL_CODE.fullmatch(hospital_code):
        raise Failure("--hospital-code has 1 to 22 visible ASCII characters, no quote and no backslash.", WRONG)
    settings = folder / "gateway.toml"
    if hospital_code is not None and settings.exists():
        raise Failure(f"{settings} exists already and is never overwritten: change hospital_code there.")
    folder.mkdir(parents=True, exist_ok=True)
    _make(settings, "gateway.toml", {"@HOSPITAL_CODE@": hospital_code or PLACEHOLDER})
    for name in EXAMPLE_PARTNERS:
        example = folder / "partners" / name / "partner.toml.example"
        example.parent.mkdir(parents=True, exist_ok=True)
        _make(example, "partner.toml", {"@NAME@": name, "@HOST@": name.lower()})
    key = folder / "secret.key"
    if key.exists():
        say(f"kept  {key}")
    else:
        create_key_file(key)
        say(f"made  {key}  (keep a copy in a safe place)")
    if hospital_code is None and PLACEHOLDER in settings.read_text(encoding="utf-8"):
        note(f"Now write your hospital's code into {settings}, then run `gateway check --folder {folder}`.")


def check(folder: Folder = HERE) -> None:
    """Check settings, keys, contract, partners, database and tables; exit code 1 if anything is wrong."""
    wrong = 0
    for step in _steps(folder):
        try:
            subject, found = step()
        except WRONG_SITE as problem:
            wrong += 1
            say(f"✗ {problem}")
        else:
            say(f"✓ {subject}: {found}")
    if wrong:
        raise Failure(f"{wrong} of the above must be put right.", FAILED)


def _steps(folder: Path) -> Iterator[Callable[[], Finding]]:
    """What there is to check; without settings only what does not need them."""
    yield _check_contract
    yield lambda: _check_key_file(folder)
    try:
        settings = load_settings(folder)
    except ConfigurationError as problem:
        told = problem

        def fail() -> Finding:
            raise told

        yield fail
        return
    yield lambda: _check_settings(settings)
    yield lambda: _check_partners(settings)
    if settings.hl7:
        yield lambda: _check_hl7(settings)
    for partner in settings.partners:
        if partner.tls != Tls() or partner.auth.kind == "x509" or partner.fields:
            yield partial(_check_folder, partner)
    for facade in settings.facades:
        yield partial(_check_facade, settings, facade)
    yield lambda: _check_database(settings)


def _check_contract() -> Finding:
    from gateway.operations.table import HANDLERS  # takes a third of a second, which no other command needs

    contract = Contract()
    operations = [operation.name for operation in contract.operations]
    _ = contract.schema
    missing = sorted(set(operations) ^ set(HANDLERS))
    if missing:
        raise ContractError(f"The contract and the program differ in {', '.join(missing)}: reinstall the gateway.")
    return "contract", f"{len(operations)} operations in {contract.folder}"


def _check_key_file(folder: Path) -> Finding:
    key = folder / "secret.key"
    Secrets.from_file(key)
    return "key file", str(key)


def _check_settings(settings: Settings) -> Finding:
    if settings.hospital_code == PLACEHOLDER:
        raise ConfigurationError(f"{settings.folder / 'gateway.toml'}: hospital_code is still {PLACEHOLDER}.")
    if settings.public_url is None and settings.server.host in ("0.0.0.0", "::"):  # noqa: S104 - compared only
        raise ConfigurationError(
            f"{settings.folder / 'gateway.toml'}: public_url is needed: server.host {settings.server.host} is no "
            "address partners could call: write the one they reach."
        )
    if not os.access(settings.folder, os.W_OK):
        raise ConfigurationError(f"{settings.folder} must be writable for the user that runs the gateway.")
    return "settings", f"hospital {', '.join(sorted(settings.hospital_codes))}, address {settings.endpoint}"


def _check_partners(settings: Settings) -> Finding:
    known = {operation.name for operation in Contract().operations}
    for number, route in enumerate(settings.routes, 1):
        if route.operation not in known:
            raise ConfigurationError(f"routes[{number}] names the operation {route.operation}, which does not exist.")
    callers = [partner.client_name for partner in settings.partners]
    for name in callers:
        if callers.count(name) > 1:
            raise ConfigurationError(f"Two partners call under the client name {name}: give each its own.")
    for partner in settings.partners:
        if partner.password is not None and partner.username is None:
            raise ConfigurationError(f"Partner {partner.name} has a password but no username.")
        if (partner.is_mapped or partner.dialect == HOOK) and (broken := list(broken_files(settings, partner))):
            more = f" ({len(broken) - 1} more: `gateway partner check {partner.name}`)" if len(broken) > 1 else ""
            raise ConfigurationError(broken[0] + more)
    addresses = ", ".join(f"{partner.name} {shown_address(partner)}" for partner in settings.partners)
    return "partners", addresses or "none"


def _check_folder(partner: Partner) -> Finding:
    """The certificates and keys a partner's folder holds, and fields that are limited."""
    now, subject = datetime.now(UTC), f"partner {partner.name}"
    if wrong := list(unknown_fields(partner.fields, Contract())):
        raise ConfigurationError(f"{partner.path('partner.toml')}: {wrong[0]}.")
    terms = terms_of_partner(partner)
    make_context(partner)
    for said in ending([term for term in terms if not term.begins <= now < term.ends], now):
        raise ConfigurationError(f"{partner.folder}: {said}: renew it.")
    for warning in (*tls_warnings(partner), *ending(terms, now)):
        say(f"! {subject}: {warning}")
    held = [f"{term.path.name} until {term.ends:%Y-%m-%d}" for term in terms]
    return subject, ", ".join(
        held + [f"limits of fields: {len(partner.fields)}"] * bool(partner.fields)
    ) or "its own TLS"


def _check_hl7(settings: Settings) -> Finding:
    from gateway.bootstrap.hl7 import port_tls  # takes a third of a second, too

    for port in settings.hl7:
        port_tls(settings.folder, port)
        for one in port.messages:
            for name in filter(None, (one.request, one.response)):
                try:
                    Stylesheet(located(name, settings.folder))
                except StylesheetBroken as problem:
                    raise Failure(f"hl7 {port.name}: {problem}") from None
    return "HL7", ", ".join(f"{port.name} on port {port.port} for {port.client}" for port in settings.hl7)


def _check_facade(settings: Settings, facade: Facade) -> Finding:
    for problem in facades.compiled(facade):
        raise ConfigurationError(problem)
    for said in facades.warnings(facade):
        say(f"! facade {facade.name}: {said}")
    return f"facade {facade.name}", f"{facades.address(settings, facade)}, called by {facades.callers(facade)}"


def _check_database(settings: Settings) -> Finding:
    present = migrate.current(database_url(settings))
    if any(step.floor is None for step in migrate.pending(present)):
        raise DatabaseError(
            f"The tables are at revision {present or 'none'}, this version needs {migrate.newest()}: "
            f"run `gateway migrate --folder {settings.folder}`."
        )
    keys = None
    with suppress(KeyFileError):  # what is wrong with the file has been told
        keys = Secrets.from_file(settings.key_file)
    if keys is not None:
        refuse_foreign_key(database_url(settings), keys, settings.key_file)
    with database_session(settings) as session:
        clients = [client for client in list_clients(session) if client.disabled_at is None]
    kind = "embedded" if settings.database_url is None else "the site's own"
    return "database", f"{kind}, tables at revision {present}, {len(clients)} clients may call"


def _make(path: Path, template: str, words: dict[str, str]) -> None:
    """Write a file that only this user can read; one that exists is kept."""
    text = (SITE_FILES / template).read_text(encoding="utf-8")
    for word, meaning in words.items():
        text = text.replace(word, meaning)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        say(f"kept  {path}")
        return
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    say(f"made  {path}")
