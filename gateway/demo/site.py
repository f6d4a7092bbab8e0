"""The site of the demonstration: a fresh folder with settings, partners and keys, and its five clients."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import TextIO

from sqlalchemy.orm import Session

from gateway.config import INSURANCE
from gateway.contract import Contract
from gateway.database.embedded import EmbeddedDatabase
from gateway.demo.messages import patient
from gateway.model.client import SpecialRight
from gateway.model.record import Mask
from gateway.security.clients import add_client
from gateway.security.record_rights import add_authorization, set_policy
from gateway.security.secrets import Secrets, create_key_file
from gateway.simulators.duty import SECRET
from gateway.simulators.process import DUTY, SimulatorProcess
from gateway.simulators.vendors.typed import EXAMPLES
from gateway.terms import RecordPurpose

HOSPITAL_CODE = "44643245-7"
"""The hospital of the samples in wsdl/samples/."""
INSURER = "INSURER"
CONSENT = "SQ-2026-0001"
"""The authorisation by which the insurer reads the records of three patients."""

DEPARTMENT = (
    "ReportStatus",
    "SubmitReport",
    "ChargeItem",
    "RefundItem",
    "PushCriticalValue",
    "AcknowledgeCriticalValue",
    "GetMedicalRecord",
    "QueryRequisition",
    "QueryTransaction",
)
OPERATIONS: dict[str, tuple[str, ...]] = {
    "HIS": (
        "SubmitRequisition",
        "ChargeItem",
        "RefundItem",
        "AcknowledgeCriticalValue",
        "ReportVisitEvent",
        "QueryRequisition",
        "QueryTransaction",
    ),
    "PACS": DEPARTMENT,
    "LIS": DEPARTMENT,
    "EMR": ("SubmitRequisition", "AcknowledgeCriticalValue", "QueryRequisition", "QueryTransaction"),
    "US": DEPARTMENT,
    INSURER: ("GetMedicalRecord",),
}
SPECIAL_RIGHTS: dict[str, tuple[SpecialRight, ...]] = {
    "HIS": (SpecialRight.HIS, SpecialRight.GREEN_CHANNEL),
    "PACS": (SpecialRight.RECORD_ALL_VISITS, SpecialRight.RECORD_ORDERS, SpecialRight.LARGE_REPORT),
    "LIS": (SpecialRight.RECORD_ORDERS,),
    "EMR": (),
    "US": (),
    INSURER: (),
}
"""PACS may read every visit of a patient, LIS may not: story 7."""

ROUTES: tuple[tuple[str, str | None, tuple[str, ...]], ...] = (
    ("SubmitRequisition", None, ("PACS",)),
    ("SubmitRequisition", "LAB", ("LIS",)),
    ("SubmitRequisition", "US", ("US",)),
    ("ReportStatus", None, ("HIS",)),
    ("SubmitReport", None, ("HIS", "EMR")),
    ("ChargeItem", None, ("HIS",)),
    ("RefundItem", None, ("HIS",)),
    ("PushCriticalValue", None, ("HIS", "EMR")),
    ("GetMedicalRecord", None, ("EMR",)),
    ("ReportVisitEvent", None, ("PACS", "LIS", "EMR")),
    (INSURANCE, None, ("YB",)),
)
"""Operation, kind of requisition, partners."""

INSURED = """\
dialect = "insurance"

[insurance]
fixmedins_code = "H99999900001"
mdtrtarea_admvs = "999900"
registers = true
settles = true
sign_in = true
echoes_msgid = true
"""
"""How the hospital is known at the insurance platform, which it leaves the registering and settling to."""

OVERDUE = """\
[[rules.critical.timers]]
source_type = "7"
receive_minutes = 0.03
total_minutes = 0.08

[[rules.critical.chain]]
stage = "RECEIVE"
level = 1
receivers = ["WARD", "REPORTER"]

[[rules.critical.chain]]
stage = "TOTAL"
level = 3
receivers = ["DUTY"]
notifiers = ["DUTY"]

"""
"""A glucose at the bedside (POCT) is late within seconds here, so that one can watch it."""

VENDORS = {"ultrasound": "ultrasound"}
"""Systems as their vendors build them -> the facade by which each calls."""

_MARK = "this-is-a-demonstration"


class DemoRefused(Exception):
    """Why the demonstration does not begin; one line for the person at the terminal."""


def take_folder(folder: Path) -> TextIO:
    """An empty folder for this demonstration alone, for as long as what is returned stays open. Raises DemoRefused.

    What an earlier demonstration left there is removed, its database included; any other folder is left alone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mark = folder / _MARK
    if not mark.exists() and any(folder.iterdir()):
        raise DemoRefused(f"{folder} holds something that is no demonstration: give another one with --folder.")
    held = mark.open("a")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        held.close()
        raise DemoRefused(f"Another demonstration runs in {folder}: stop it, or give another --folder.") from None
    remove_database(folder)
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != _MARK:
            path.unlink()
    return held


def remove_database(folder: Path) -> None:
    """Stop the demonstration's PostgreSQL and delete its data; logs and what the simulators remember stay."""
    database = folder / "database"
    if database.exists():
        EmbeddedDatabase(database).remove()
        shutil.rmtree(database, ignore_errors=True)


def write_site(folder: Path, port: int, simulators: Iterable[SimulatorProcess]) -> None:
    """gateway.toml with the routes to these systems, secret.key and a partner.toml for each of them."""
    create_key_file(folder / "secret.key")
    server = f"[server]\nport = {port}\n"
    head = f'hospital_code = "{HOSPITAL_CODE}"\ndelivery_workers = 1\n\n{server}\n'
    systems = list(simulators)
    names = {one.name for one in systems}
    routes = "".join(_route(*route) for route in ROUTES if names.issuperset(route[2]))
    channels = "".join(_channel(folder, one) for one in systems if one.kind == DUTY)
    _write(folder / "gateway.toml", f"{head}{OVERDUE}{channels}{routes}")
    for simulator in [one for one in systems if one.kind not in (DUTY, *VENDORS)]:
        place = folder / "partners" / simulator.name
        place.mkdir(parents=True)
        extra = INSURED if simulator.kind == "insurance" else ""
        _write(place / "partner.toml", f'url = "{simulator.url}"\n{extra}')
    for simulator in [one for one in systems if one.kind in VENDORS]:
        _connect_vendor(folder, simulator)


def _connect_vendor(folder: Path, simulator: SimulatorProcess) -> None:
    """The partner folder and the facade that ship for a system with a contract of its own."""
    place = folder / "partners" / simulator.name
    shutil.copytree(EXAMPLES / simulator.kind, place)
    settings = place / "partner.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(re.sub(r'^url = "[^"]*"', f'url = "{simulator.url}"', text, flags=re.MULTILINE), "utf-8")
    shutil.copytree(EXAMPLES.parent / "facades" / VENDORS[simulator.kind], folder / "facades" / simulator.name)


def _channel(folder: Path, office: SimulatorProcess) -> str:
    """The duty office as an outside channel, and the secret it shares with the gateway."""
    office.folder.mkdir(parents=True, exist_ok=True)
    _write(office.folder / SECRET, secrets.token_urlsafe())
    place = (office.folder / SECRET).relative_to(folder)
    return f'[[notifiers]]\nkind = "webhook"\nname = "DUTY"\nurl = "{office.url}"\nsecret_file = "{place}"\n\n'


def _route(operation: str, requisition_type: str | None, partners: tuple[str, ...]) -> str:
    names = ", ".join(f'"{name}"' for name in partners)
    kind = f'requisition_type = "{requisition_type}"\n' if requisition_type else ""
    return f'[[routes]]\noperation = "{operation}"\n{kind}partners = [{names}]\n\n'


def add_clients(session: Session, key_file: Path, given: Mapping[str, str] = MappingProxyType({})) -> dict[str, str]:
    """Let the hospital's systems and an insurer call; their passwords by name, those given or new ones.

    Each may also prove itself by a WS-Security digest.
    """
    known = [operation.name for operation in Contract().operations]
    keys = Secrets.from_file(key_file)
    passwords = {
        name: add_client(
            session,
            name,
            rights=(*operations, *SPECIAL_RIGHTS[name]),
            operations=known,
            password=given.get(name),
            allow_digest=True,
            secrets=keys,
            description="demonstration",
        )
        for name, operations in OPERATIONS.items()
    }
    _let_insurer_read(session)
    session.commit()
    return passwords


def _let_insurer_read(session: Session) -> None:
    """For claims, some sections, masked, of three consenting patients, of whom it may read two a day."""
    set_policy(
        session,
        INSURER,
        purposes=[RecordPurpose.CLAIM],
        sections=["SUMMARY", "DIAG", "LAB"],
        mask=Mask.INSURER,
        per_minute=30,
        per_day=500,
        patients_per_day=2,
    )
    today = datetime.now().astimezone().date()
    add_authorization(
        session,
        CONSENT,
        hospital_code=HOSPITAL_CODE,
        client=INSURER,
        purpose=RecordPurpose.CLAIM,
        patients=[str(patient(number, "")["PatientId"]) for number in (2, 3, 5)],
        valid_from=today - timedelta(days=1),
        valid_to=today + timedelta(days=365),
    )


def _write(path: Path, text: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
