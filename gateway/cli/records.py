"""Commands about medical records: what each client may read of them, authorisations, restricted patients."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.orm import Session

from gateway.cli.terminal import HERE, WRONG, Failure, Folder, plain_table, say, show
from gateway.config import Settings, load_settings
from gateway.model.record import Mask, RecordAuthorization, RecordPolicy
from gateway.security import record_rights as registry
from gateway.site import audit, database_session
from gateway.terms import RecordPurpose

Sections = Annotated[
    list[str], typer.Option("--section", metavar="CODE", help="Only this section; may be given several times.")
]
Patients = Annotated[list[str], typer.Option("--patient", metavar="ID", help="May be given several times.")]
Patient = Annotated[str, typer.Argument(metavar="PATIENT", help="The hospital's PatientId.")]
Number = Annotated[str, typer.Argument(metavar="NUMBER", help="The AuthorizationNo of its requests.")]
HospitalCode = Annotated[
    str | None, typer.Option("--hospital-code", metavar="CODE", help="The site's own when not said.")
]
Client = Annotated[str, typer.Argument(metavar="NAME", help="The client's name.")]
FEW = 5
Quota = Annotated[int | None, typer.Option(min=1, metavar="NUMBER")]


def add_to(app: typer.Typer) -> None:
    authorization = typer.Typer(no_args_is_help=True, help="Consents by which insurers, research or a region read.")
    authorization.command("add")(add_authorization)
    authorization.command("list")(list_authorizations)
    authorization.command("revoke")(revoke_authorization)
    app.add_typer(authorization, name="authorization")
    patients = typer.Typer(no_args_is_help=True, help="Patients whose records need a right of their own.")
    patients.command("restrict")(restrict)
    patients.command("unrestrict")(unrestrict)
    patients.command("list")(list_restricted)
    app.add_typer(patients, name="patient")


# --- what a client may read -------------------------------------------------------------------------------------------


def record_policy(
    name: Client,
    purpose: Annotated[
        list[RecordPurpose], typer.Option("--purpose", case_sensitive=False, help="Why it may read; TREAT if not said.")
    ] = [],  # noqa: B006 - how Typer is told
    section: Sections = [],  # noqa: B006
    secret_section: Annotated[
        list[str], typer.Option("--secret-section", metavar="CODE", help="A secret section it may see as well.")
    ] = [],  # noqa: B006
    dept: Annotated[
        list[str], typer.Option("--dept", metavar="CODE", help="A department or ward it works for; all if not said.")
    ] = [],  # noqa: B006
    mask: Annotated[Mask, typer.Option("--mask", help="How much of the patient is hidden.")] = Mask.NONE,
    per_minute: Quota = None,
    per_day: Quota = None,
    patients_per_day: Quota = None,
    remove: Annotated[bool, typer.Option("--remove", help="As if it never had one: treatment only.")] = False,
    folder: Folder = HERE,
) -> None:
    """Say what a client may read of records, in place of what was said before; what is not given is not limited.

    All visits, orders and restricted patients are rights: `gateway client grant`.
    """
    if remove:
        with _change(folder, "RECORD_POLICY_REMOVE", f"client {name}") as (session, _, _):
            registry.remove_policy(session, name)
        say(f"Client {name} reads records for treatment only.")
        return
    with _change(folder, "RECORD_POLICY", f"client {name}") as (session, _, detail):
        policy = registry.set_policy(
            session,
            name,
            purposes=purpose,
            sections=section,
            secret_sections=secret_section,
            departments=dept,
            mask=mask,
            per_minute=per_minute,
            per_day=per_day,
            patients_per_day=patients_per_day,
        )
        detail.append(policy_in_words(policy))
    say(f"Client {name} reads records: {detail[0]}.")


def policy_in_words(policy: RecordPolicy) -> str:
    """A policy in one line."""
    quotas = ((policy.per_minute, "a minute"), (policy.per_day, "a day"), (policy.patients_per_day, "patients a day"))
    parts = [
        f"for {', '.join(policy.purposes)}",
        f"sections {', '.join(policy.sections)}" if policy.sections is not None else "all sections not secret",
        f"and secret {', '.join(policy.secret_sections)}" if policy.secret_sections else "",
        f"departments {', '.join(policy.departments)}" if policy.departments is not None else "",
        f"masked for {policy.mask}" if policy.mask != Mask.NONE else "",
        *(f"{number} {words}" for number, words in quotas if number is not None),
    ]
    return "; ".join(filter(None, parts))


# --- authorisations ---------------------------------------------------------------------------------------------------


def add_authorization(
    number: Number,
    client: Annotated[str, typer.Option("--client", metavar="NAME", help="Who may read by it.")],
    purpose: Annotated[RecordPurpose, typer.Option("--purpose", case_sensitive=False)],
    until: Annotated[datetime, typer.Option("--until", formats=["%Y-%m-%d"], help="Its last day.")],
    patient: Patients = [],  # noqa: B006
    patients_file: Annotated[
        Path | None, typer.Option("--patients-file", metavar="FILE", help="One PatientId a line.")
    ] = None,
    every_patient: Annotated[bool, typer.Option("--every-patient", help="Research about everybody.")] = False,
    section: Sections = [],  # noqa: B006
    since: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="Its first day; today if not said.")
    ] = None,
    hospital_code: HospitalCode = None,
    folder: Folder = HERE,
) -> None:
    """Register a consent, or the order of an office, by which a client may read records."""
    patients = [*patient, *(_lines(patients_file) if patients_file is not None else ())]
    with _change(folder, "AUTHORIZATION_ADD", f"authorization {number}") as (session, settings, detail):
        registry.add_authorization(
            session,
            number,
            hospital_code=hospital_code or settings.hospital_code,
            client=client,
            purpose=purpose,
            patients=patients,
            every_patient=every_patient,
            sections=section,
            valid_from=since.date() if since is not None else datetime.now(settings.zone).date(),
            valid_to=until.date(),
        )
        about = "every patient" if every_patient else f"{len(set(patients))} patient(s)"
        detail.append(f"client={client} purpose={purpose} about={about} until={until.date()}")
    say(f"Authorisation {number}: {client} may read records of {about} for {purpose} until {until.date()}.")


def list_authorizations(
    client: Annotated[str | None, typer.Option("--client", metavar="NAME")] = None,
    patient: Annotated[str | None, typer.Option("--patient", metavar="ID")] = None,
    folder: Folder = HERE,
) -> None:
    """Authorisations, the newest first."""
    settings = load_settings(folder)
    table = plain_table("NUMBER", "CLIENT", "PURPOSE", "PATIENTS", "SECTIONS", "FROM", "UNTIL", "STATE")
    today = datetime.now(settings.zone).date()
    with database_session(settings) as session:
        for one in registry.authorizations(session, client=client, patient=patient):
            about = "every" if one.every_patient else _few([about.patient_id for about in one.patients])
            sections = ", ".join(one.sections) if one.sections is not None else "all"
            words = (one.authorization_no, one.client, one.purpose, about, sections)
            table.add_row(*words, str(one.valid_from), str(one.valid_to), _state(one, today))
    show(table)


def revoke_authorization(number: Number, hospital_code: HospitalCode = None, folder: Folder = HERE) -> None:
    """End an authorisation at once."""
    with _change(folder, "AUTHORIZATION_REVOKE", f"authorization {number}") as (session, settings, _):
        registry.revoke_authorization(session, number, hospital_code=hospital_code or settings.hospital_code)
    say(f"Authorisation {number} is revoked.")


def _few(patients: list[str]) -> str:
    return ", ".join(patients[:FEW]) + (" ..." if len(patients) > FEW else "")


def _state(one: RecordAuthorization, today: date) -> str:
    if one.revoked_at is not None:
        return "revoked"
    if today > one.valid_to:
        return "expired"
    return "not yet valid" if today < one.valid_from else "valid"


def _lines(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise Failure(f"{path} is no text in UTF-8.", WRONG) from None
    return [line.strip() for line in lines if line.strip()]


# --- restricted patients ----------------------------------------------------------------------------------------------


def restrict(patient: Patient, hospital_code: HospitalCode = None, folder: Folder = HERE) -> None:
    """Let only clients with the right RECORD_RESTRICTED read this patient's record; an emergency still opens it."""
    with _change(folder, "PATIENT_RESTRICT", f"patient {patient}") as (session, settings, _):
        registry.restrict(session, patient, hospital_code=hospital_code or settings.hospital_code)
    say(f"The record of patient {patient} is restricted.")


def unrestrict(patient: Patient, hospital_code: HospitalCode = None, folder: Folder = HERE) -> None:
    """Treat a patient as every other again."""
    with _change(folder, "PATIENT_UNRESTRICT", f"patient {patient}") as (session, settings, _):
        registry.unrestrict(session, patient, hospital_code=hospital_code or settings.hospital_code)
    say(f"The record of patient {patient} is restricted no longer.")


def list_restricted(folder: Folder = HERE) -> None:
    """Whose records are restricted, by number."""
    settings = load_settings(folder)
    table = plain_table("HOSPITAL", "PATIENT", "SINCE")
    with database_session(settings) as session:
        for one in registry.restricted(session):
            table.add_row(one.hospital_code, one.patient_id, f"{one.since.astimezone(settings.zone):%Y-%m-%d}")
    show(table)


@contextmanager
def _change(folder: Path, action: str, subject: str) -> Iterator[tuple[Session, Settings, list[str]]]:
    """A transaction with its audit entry; what is put into the list is the entry's detail."""
    settings = load_settings(folder)
    detail: list[str] = []
    with database_session(settings) as session:
        yield session, settings, detail
        audit(session, action, subject, "; ".join(detail) or None)
        session.commit()
