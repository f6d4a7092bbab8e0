"""A HIS that keeps books of its own by number, so that a test can compare them with the gateway's."""

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

from building import TEN
from gateway.messages.charge import LineOutcome
from gateway.messages.query import TransactionRecord
from gateway.operations.dispatch import Forward, PartnerAnswer
from gateway.partners.addressing import Stamp
from gateway.partners.canonical import Canonical
from gateway.terms import TransactionState
from hospital import NOT_SENT, UNKNOWN, Hospital, no, response_of, yes

PRICE_OF_HIS = Decimal("77.70")
"""Of a line that comes without an amount; without an amount all that is left of it goes back."""

Key = tuple[str, str, str]
"""ChargeItem or RefundItem, the system it comes from, and its number."""


class Crash(Exception):
    """The gateway's process ends here."""


class Mood(StrEnum):
    """What becomes of the next charge or refund that is sent to this HIS."""

    BOOKS = "books it and says so"
    REFUSES = "refuses it"
    AWAY = "cannot be reached"
    LOST_BEFORE = "does not book it, and no answer comes"
    LOST_AFTER = "books it, and the answer is lost"
    CRASH_BEFORE = "the gateway is killed before it is sent"
    CRASH_AFTER = "books it, and the gateway is killed before it reads the answer"


@dataclass
class HisBooks:
    """What this HIS has booked. `moods` are how it meets what is sent to it next; after the last it simply books."""

    moods: list[Mood] = field(default_factory=list)
    booked: dict[Key, dict[int, Decimal]] = field(default_factory=dict)
    """The amounts by line; of a refund by the line of the charge it gives back."""
    given_back: dict[tuple[str, str], list[tuple[int, Decimal]]] = field(default_factory=lambda: defaultdict(list))
    """Lines and amounts that went back of a charge."""
    refused: set[Key] = field(default_factory=set)
    twice: list[Key] = field(default_factory=list)
    """What was sent although it had been booked: it is not booked again, but nobody should have to rely on that."""
    impossible: list[Key] = field(default_factory=list)
    """Refunds of more than is booked."""
    crashes: int = 0
    is_silent: bool = False
    """Whether queries get no answer either."""

    def __call__(self, forward: Forward) -> PartnerAnswer:
        """The answer to a ChargeItem or RefundItem."""
        mood = self.moods.pop(0) if self.moods else Mood.BOOKS
        key = key_of(forward)
        if mood in (Mood.CRASH_BEFORE, Mood.CRASH_AFTER):
            self.crashes += 1
        if mood is Mood.CRASH_BEFORE:
            raise Crash
        if mood is Mood.AWAY:
            return NOT_SENT
        if mood is Mood.LOST_BEFORE:
            return UNKNOWN
        if mood is Mood.REFUSES and key not in self.booked:
            self.refused.add(key)
            return no("CHG-400" if forward.operation == "ChargeItem" else "RFD-400")
        refusal = self._book(key, forward)
        if mood is Mood.CRASH_AFTER:
            raise Crash
        if mood is Mood.LOST_AFTER:
            return UNKNOWN
        return refusal or self._answer(forward, self.booked[key])

    def _book(self, key: Key, forward: Forward) -> PartnerAnswer | None:
        request = forward.request
        if key in self.booked:
            self.twice.append(key)
            return None
        if forward.operation == "ChargeItem":
            self.booked[key] = {
                line.line_no: PRICE_OF_HIS if line.actual_amount is None else line.actual_amount
                for line in request.lines
            }
            return None
        charge = self.booked.get(("ChargeItem", request.source_system, request.original_charge_no))
        if charge is None:
            self.refused.add(key)
            return no("RFD-404")
        left = charge.copy()
        for line_no, amount in self.given_back[request.source_system, request.original_charge_no]:
            left[line_no] -= amount
        lines: dict[int, Decimal] = defaultdict(Decimal)
        for line in request.lines:
            lines[line.original_line_no] += line.refund_amount or left[line.original_line_no]
        if any(amount > left[line_no] for line_no, amount in lines.items()):
            self.impossible.append(key)
        self.booked[key] = dict(lines)
        self.given_back[request.source_system, request.original_charge_no] += lines.items()
        return None

    def _answer(self, forward: Forward, booked: dict[int, Decimal]) -> PartnerAnswer:
        his_no = f"H{list(self.booked).index(key_of(forward)) + 1}"
        lines = tuple(
            LineOutcome(line_no=line_no, result_code="0", result_text="成功", amount=amount)
            for line_no, amount in booked.items()
        )
        number = "his_charge_no" if forward.operation == "ChargeItem" else "his_refund_no"
        return yes(response_of(forward.operation, lines=lines, **{number: his_no}))

    def find(self, forward: Forward) -> PartnerAnswer | None:
        """What became of it, asked by QueryTransaction and read as the gateway reads it."""
        asked = _Asked(self, key_of(forward))
        return asked.find_booking(forward.operation, forward.request, Stamp("Q1", forward.origin), 1)

    def query(self, key: Key) -> PartnerAnswer:
        """The answer to a QueryTransaction about one number."""
        if self.is_silent:
            return UNKNOWN
        if key not in self.booked and key not in self.refused:
            return no("QRY-404")
        operation, _, number = key
        is_charge, is_booked = operation == "ChargeItem", key in self.booked
        record = TransactionRecord(
            operation=operation,
            gateway_txn_no="H1",
            sender_code="GATEWAY",
            message_id="M1",
            received_at=TEN,
            result_code="0" if is_booked else "CHG-400",
            charge_no=number if is_charge else None,
            refund_no=None if is_charge else number,
            transaction_state=TransactionState.CONFIRMED if is_booked else TransactionState.REJECTED,
            amount=sum(self.booked[key].values(), Decimal("0.00")) if is_booked else None,
        )
        return yes(response_of("QueryTransaction", transactions=(record,)))

    def amounts(self) -> dict[Key, Decimal]:
        """What was booked under each number."""
        return {key: sum(lines.values(), Decimal("0.00")) for key, lines in self.booked.items()}


class _Asked(Canonical):
    """The gateway's own way of asking and reading, without the wire."""

    def __init__(self, books: HisBooks, key: Key) -> None:
        self._books, self._key = books, key

    def call(self, operation: str, request: Any, stamp: Stamp, seconds: float) -> PartnerAnswer:
        assert (operation, request.charge_no or request.refund_no) == ("QueryTransaction", self._key[2])
        return self._books.query(self._key)


def key_of(forward: Forward) -> Key:
    is_charge = forward.operation == "ChargeItem"
    number = forward.request.charge_no if is_charge else forward.request.refund_no
    return forward.operation, forward.origin.sender_code, number


def keep_books(hospital: Hospital, *moods: Mood) -> HisBooks:
    """Let the hospital's HIS book, query and fail as it does in life."""
    books = HisBooks(list(moods))
    for operation in ("ChargeItem", "RefundItem"):
        hospital.dispatch.always["his", operation] = books
    return books
