"""Who may read how much of which patient's record: a policy for each client, authorisations, restricted patients.

The rules are docs/specification/records.md. Whether a client reads all visits, orders or restricted patients is among
its rights (gateway/model/client.py); everything else about records is here.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index, LargeBinary, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, relationship

from gateway.model.base import Base
from gateway.terms import RecordPurpose

NEEDS_AUTHORIZATION = frozenset({RecordPurpose.CLAIM, RecordPurpose.RESEARCH, RecordPurpose.REGIONAL})


class Mask(StrEnum):
    """How much of a patient's identity is hidden, from the least."""

    NONE = "none"
    """Nothing: those who treat the patient."""
    INSURER = "insurer"
    """Name, numbers, phone and address are masked, also in free text; the hospital's own numbers stay."""
    RESEARCH = "research"
    """Nobody is recognised: the hospital's numbers are replaced too, the same by the same within an authorisation."""


LEAST_MASK = {RecordPurpose.CLAIM: Mask.INSURER, RecordPurpose.RESEARCH: Mask.RESEARCH}
"""What a purpose demands, whatever a client's policy says."""


class RecordPolicy(Base):
    """What a client may read of records and how often; a client without one reads for treatment alone, unlimited."""

    __tablename__ = "record_policy"

    client: Mapped[str] = mapped_column(ForeignKey("client.name", ondelete="CASCADE"), primary_key=True)
    purposes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    sections: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    """The only sections it sees; None for all but the secret ones."""
    secret_sections: Mapped[list[str]] = mapped_column(ARRAY(Text))
    """Of the site's secret sections those it sees as well."""
    departments: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    """The departments and wards it works for: only their requisitions and visits are its relation; None for all."""
    mask: Mapped[str]
    per_minute: Mapped[int | None]
    per_day: Mapped[int | None]
    patients_per_day: Mapped[int | None]

    @classmethod
    def default(cls, client: str) -> RecordPolicy:
        """That of a client for which none was set."""
        return cls(client=client, purposes=[RecordPurpose.TREAT], secret_sections=[], mask=Mask.NONE)

    def mask_for(self, purpose: RecordPurpose) -> Mask:
        """The stronger of what the policy and the purpose demand."""
        order = list(Mask)
        return max(Mask(self.mask), LEAST_MASK.get(purpose, Mask.NONE), key=order.index)

    def shows(self, section: str, secret: Collection[str]) -> bool:
        """Whether the client may see a section; `secret` are those that must be granted by name."""
        if section in self.secret_sections:
            return True
        return section in self.sections if self.sections is not None else section not in secret


class RecordAuthorization(Base):
    """A patient's consent, or the order of an office, by which a client reads records for a purpose until a day."""

    __tablename__ = "record_authorization"

    hospital_code: Mapped[str] = mapped_column(primary_key=True)
    authorization_no: Mapped[str] = mapped_column(primary_key=True)
    client: Mapped[str] = mapped_column(ForeignKey("client.name"))
    purpose: Mapped[str]
    every_patient: Mapped[bool]
    """True for research on everybody; else the patients are listed."""
    sections: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    """The only sections it covers; None for all the client may see."""
    valid_from: Mapped[date]
    valid_to: Mapped[date]
    """The last day of it."""
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    pseudonym_key: Mapped[bytes] = mapped_column(LargeBinary)
    """With which the numbers of research are made: what two projects are given cannot be put together."""
    patients: Mapped[list[RecordAuthorizationPatient]] = relationship(
        cascade="all, delete-orphan", order_by="RecordAuthorizationPatient.patient_id"
    )


class RecordAuthorizationPatient(Base):
    """A patient an authorisation is about."""

    __tablename__ = "record_authorization_patient"
    __table_args__ = (
        ForeignKeyConstraint(
            ["hospital_code", "authorization_no"],
            ["record_authorization.hospital_code", "record_authorization.authorization_no"],
            name="fk_record_authorization_patient_authorization",
            ondelete="CASCADE",
        ),
        Index("ix_record_authorization_patient_patient", "hospital_code", "patient_id"),
    )

    hospital_code: Mapped[str] = mapped_column(primary_key=True)
    authorization_no: Mapped[str] = mapped_column(primary_key=True)
    patient_id: Mapped[str] = mapped_column(primary_key=True)


class RestrictedPatient(Base):
    """A patient whose record only clients with the right RECORD_RESTRICTED read, such as a person everybody knows."""

    __tablename__ = "restricted_patient"

    hospital_code: Mapped[str] = mapped_column(primary_key=True)
    patient_id: Mapped[str] = mapped_column(primary_key=True)
    since: Mapped[datetime]


class RecordReader(Base):
    """How much a client has read in this minute and on this day: the quotas are held against it."""

    __tablename__ = "record_reader"

    client: Mapped[str] = mapped_column(primary_key=True)
    minute: Mapped[datetime]
    in_minute: Mapped[int]
    day: Mapped[date]
    in_day: Mapped[int]
    patients: Mapped[int]
    """Different patients on that day."""
    emergencies: Mapped[int]
    """Looks on that day that an EmergencyReason opened."""


class RecordReaderPatient(Base):
    """That a client has read of a patient on a day."""

    __tablename__ = "record_reader_patient"

    client: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    patient: Mapped[str] = mapped_column(primary_key=True)
