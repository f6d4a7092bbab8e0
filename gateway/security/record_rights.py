"""Saying who may read records: the policy of a client, authorisations, restricted patients.

Each function works in the session it is given and leaves the commit to its caller. What cannot be done is said in one
line (`ClientError`). The next look at a record follows a change.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session, selectinload

from gateway.model.client import Client
from gateway.model.record import (
    NEEDS_AUTHORIZATION,
    Mask,
    RecordAuthorization,
    RecordAuthorizationPatient,
    RecordPolicy,
    RestrictedPatient,
)
from gateway.security.clients import ClientError
from gateway.terms import RecordPurpose

_CODE = re.compile(r"[!-~]{1,20}")
_NUMBER = re.compile(r"[!-~]{1,64}")
_PATIENT = re.compile(r"[!-~]{1,50}")


def set_policy(
    session: Session,
    client: str,
    *,
    purposes: Iterable[RecordPurpose] = (),
    sections: Iterable[str] = (),
    secret_sections: Iterable[str] = (),
    departments: Iterable[str] = (),
    mask: Mask = Mask.NONE,
    per_minute: int | None = None,
    per_day: int | None = None,
    patients_per_day: int | None = None,
) -> RecordPolicy:
    """Give the client this policy in place of any earlier one; what is not said is not limited.

    Without a purpose it reads for treatment.
    """
    _known_client(session, client)
    named = set(purposes) or {RecordPurpose.TREAT}
    if mask is Mask.RESEARCH and named != {RecordPurpose.RESEARCH}:
        raise ClientError("the mask research needs an authorisation's key: it is for the purpose RESEARCH alone")
    return session.merge(
        RecordPolicy(
            client=client,
            purposes=[purpose for purpose in RecordPurpose if purpose in named],
            sections=_codes(sections) or None,
            secret_sections=_codes(secret_sections),
            departments=_codes(departments) or None,
            mask=mask,
            per_minute=per_minute,
            per_day=per_day,
            patients_per_day=patients_per_day,
        )
    )


def remove_policy(session: Session, client: str) -> None:
    """Let the client read for treatment only, as one that never had a policy."""
    _known_client(session, client)
    session.execute(delete(RecordPolicy).where(RecordPolicy.client == client))


def policies(session: Session) -> dict[str, RecordPolicy]:
    """The policies by client."""
    return {policy.client: policy for policy in session.scalars(select(RecordPolicy))}


# --- authorisations ---------------------------------------------------------------------------------------------------


def add_authorization(
    session: Session,
    number: str,
    *,
    hospital_code: str,
    client: str,
    purpose: RecordPurpose,
    patients: Sequence[str] = (),
    every_patient: bool = False,
    sections: Iterable[str] = (),
    valid_from: date,
    valid_to: date,
    now: datetime | None = None,
) -> RecordAuthorization:
    """Register an authorisation; the same number cannot be given twice, not even after it was revoked."""
    _known_client(session, client)
    _check_authorization(number, purpose, patients, every_patient, valid_from, valid_to)
    if session.get(RecordAuthorization, (hospital_code, number)) is not None:
        raise ClientError(f"authorisation {number} exists already")
    authorization = RecordAuthorization(
        hospital_code=hospital_code,
        authorization_no=number,
        client=client,
        purpose=purpose,
        every_patient=every_patient,
        sections=_codes(sections) or None,
        valid_from=valid_from,
        valid_to=valid_to,
        created_at=now or datetime.now(UTC),
        pseudonym_key=os.urandom(32),
        patients=[RecordAuthorizationPatient(patient_id=patient) for patient in dict.fromkeys(patients)],
    )
    session.add(authorization)
    session.flush()
    return authorization


def authorizations(
    session: Session, *, client: str | None = None, patient: str | None = None, limit: int = 1000
) -> list[RecordAuthorization]:
    """Authorisations with their patients, the newest first."""
    query = select(RecordAuthorization).options(selectinload(RecordAuthorization.patients))
    if client is not None:
        query = query.where(RecordAuthorization.client == client)
    if patient is not None:
        about = RecordAuthorization.patients.any(RecordAuthorizationPatient.patient_id == patient)
        query = query.where(or_(RecordAuthorization.every_patient, about))
    query = query.order_by(RecordAuthorization.created_at.desc(), RecordAuthorization.authorization_no)
    return list(session.scalars(query.limit(limit)))


def revoke_authorization(session: Session, number: str, *, hospital_code: str, now: datetime | None = None) -> None:
    """End it from now on; the time of the first revoking stays."""
    found = session.get(RecordAuthorization, (hospital_code, number), with_for_update=True)
    if found is None:
        raise ClientError(f"there is no authorisation {number!r}")
    found.revoked_at = found.revoked_at or now or datetime.now(UTC)
    session.flush()


def _check_authorization(
    number: str,
    purpose: RecordPurpose,
    patients: Sequence[str],
    every_patient: bool,
    valid_from: date,
    valid_to: date,
) -> None:
    if not _NUMBER.fullmatch(number):
        raise ClientError("an authorisation's number has 1 to 64 visible ASCII characters")
    if purpose not in NEEDS_AUTHORIZATION:
        raise ClientError(f"{purpose} needs no authorisation; these do: {', '.join(sorted(NEEDS_AUTHORIZATION))}")
    if every_patient == bool(patients):
        raise ClientError("say either which patients it is about, or that it is about every patient")
    if every_patient and purpose is not RecordPurpose.RESEARCH:
        raise ClientError("only research, which learns nobody's identity, may be about every patient")
    wrong = next((patient for patient in patients if not _PATIENT.fullmatch(patient)), None)
    if wrong is not None:
        raise ClientError("a patient's id has 1 to 50 visible ASCII characters")
    if valid_from > valid_to:
        raise ClientError("it would end before it begins")


# --- restricted patients ----------------------------------------------------------------------------------------------


def restrict(session: Session, patient: str, *, hospital_code: str, now: datetime | None = None) -> None:
    """Let only clients with the right RECORD_RESTRICTED read this patient's record."""
    if not _PATIENT.fullmatch(patient):
        raise ClientError("a patient's id has 1 to 50 visible ASCII characters")
    if session.get(RestrictedPatient, (hospital_code, patient)) is None:
        session.add(RestrictedPatient(hospital_code=hospital_code, patient_id=patient, since=now or datetime.now(UTC)))
    session.flush()


def unrestrict(session: Session, patient: str, *, hospital_code: str) -> None:
    """Treat the patient as every other."""
    found = session.get(RestrictedPatient, (hospital_code, patient))
    if found is None:
        raise ClientError(f"patient {patient!r} is not restricted")
    session.delete(found)
    session.flush()


def restricted(session: Session) -> list[RestrictedPatient]:
    """Who is restricted, by hospital and number."""
    query = select(RestrictedPatient).order_by(RestrictedPatient.hospital_code, RestrictedPatient.patient_id)
    return list(session.scalars(query))


def _known_client(session: Session, name: str) -> None:
    if session.get(Client, name) is None:
        raise ClientError(f"there is no client {name!r}")


def _codes(given: Iterable[str]) -> list[str]:
    codes = sorted({*given})
    if not all(_CODE.fullmatch(code) for code in codes):
        raise ClientError("a section, department or ward is a code of 1 to 20 visible ASCII characters")
    return codes
