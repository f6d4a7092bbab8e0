"""All partners of the site by name, each behind the dialect its partner.toml names."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime
from typing import Any, Protocol

from gateway.contract import Contract
from gateway.mapping.codes import CodeTables, NoCodeTables
from gateway.messages.wire import Wire
from gateway.model.partner_hold import HoldMode
from gateway.operations.dispatch import Outcome, PartnerAnswer
from gateway.operations.insurance_books import InsuranceBooks, InsuranceDetail, InsuranceTotals, InsuranceUnavailable
from gateway.partner_config import DATABASE, HL7_MLLP, HOOK, INSURANCE_INTERFACE, MAPPED, OUR_CONTRACT, Partner
from gateway.partners.addressing import Stamp
from gateway.partners.canonical import Canonical
from gateway.partners.database.dialect import Database
from gateway.partners.field_limits import FieldLimits, FieldTooLong
from gateway.partners.hl7_mllp import Hl7Mllp
from gateway.partners.hook import Hook
from gateway.partners.insurance.dialect import Insurance
from gateway.partners.mapped import Mapped, Surroundings


class Dialect(Protocol):
    """How one partner is spoken to. Both calls keep to `seconds` and never raise."""

    def call(self, operation: str, request: Any, stamp: Stamp, seconds: float) -> PartnerAnswer:
        """Send one message and read its answer."""
        ...

    def find_booking(self, operation: str, request: Any, stamp: Stamp, seconds: float) -> PartnerAnswer | None:
        """What became of a message that books money, whose answer was lost; None when the partner does not know it."""
        ...


def _own(
    dialect: Callable[[Partner, Contract, Wire, Callable[[], datetime]], Dialect],
) -> Callable[[Partner, Surroundings], Dialect]:
    """A dialect without code tables."""
    return lambda partner, around: dialect(partner, around.contract, around.wire, around.now)


DIALECTS: dict[str, Callable[[Partner, Surroundings], Dialect]] = {
    OUR_CONTRACT: _own(Canonical),
    INSURANCE_INTERFACE: _own(Insurance),
    DATABASE: Database,
    **dict.fromkeys(MAPPED, Mapped),
    HL7_MLLP: Hl7Mllp,
    HOOK: Hook,
}
"""A new habit of partners is one class and one line here; partner.toml chooses it by this word."""


class _Stopped:
    """The books of a platform that may not be asked."""

    def insurance_totals(self, day: date) -> InsuranceTotals:
        raise InsuranceUnavailable(HoldMode.STOP)

    def insurance_details(self, day: date) -> tuple[InsuranceDetail, ...]:
        raise InsuranceUnavailable(HoldMode.STOP)


class Partners:
    """Made once per process; any number of threads may use it. Nothing is connected or read before the first call.

    Everything that leaves for a partner leaves by this door, and nothing does once `is_stopped` says so.
    """

    def __init__(
        self,
        partners: Iterable[Partner],
        contract: Contract,
        wire: Wire,
        now: Callable[[], datetime],
        *,
        codes: CodeTables | None = None,
        is_stopped: Callable[[str], bool] = lambda name: False,
    ) -> None:
        partners = tuple(partners)
        around = Surroundings(contract, wire, now, codes if codes is not None else NoCodeTables())
        self._is_stopped = is_stopped
        self._limits = {p.name: FieldLimits(p.fields, contract, p.charset) for p in partners if p.fields}
        self._settings = {partner.name: partner for partner in partners}
        self._dialects = {
            partner.name: DIALECTS[partner.dialect](partner, around) for partner in self._settings.values()
        }

    def close(self) -> None:
        """Let go of the connections that are kept to partners' databases."""
        for dialect in self._dialects.values():
            if isinstance(dialect, Database):
                dialect.close()

    def settings(self, name: str) -> Partner | None:
        """What partner.toml says; None for a partner the site has removed since."""
        return self._settings.get(name)

    def insurance(self, name: str) -> InsuranceBooks | None:
        """The books of an insurance platform, for reconciliation; None for any other partner."""
        dialect = self._dialects.get(name)
        if isinstance(dialect, Insurance) and self._is_stopped(name):
            return _Stopped()
        return dialect if isinstance(dialect, Insurance) else None

    def call(
        self, name: str, operation: str, request: Any, stamp: Stamp, seconds: float | None = None
    ) -> PartnerAnswer:
        """Send one message, within `seconds` or else the partner's own limit."""
        if name not in self._dialects:
            return PartnerAnswer(Outcome.NOT_SENT, "NO-PARTNER")
        if self._is_stopped(name):
            return PartnerAnswer(Outcome.NOT_SENT, HoldMode.STOP)
        try:
            fitting = self._limits[name].kept(operation, request) if name in self._limits else request
        except FieldTooLong as problem:
            return PartnerAnswer(Outcome.FAULT, "FIELD-LIMIT", detail=str(problem))
        return self._dialects[name].call(operation, fitting, stamp, seconds or self._settings[name].total_seconds)

    def find_booking(self, name: str, operation: str, request: Any, stamp: Stamp) -> PartnerAnswer | None:
        """What became of a message that books money, whose answer was lost; None when the partner does not know it."""
        if name not in self._dialects:
            return PartnerAnswer(Outcome.UNKNOWN, "NO-PARTNER")
        if self._is_stopped(name):
            return PartnerAnswer(Outcome.UNKNOWN, HoldMode.STOP)
        return self._dialects[name].find_booking(operation, request, stamp, self._settings[name].total_seconds)
