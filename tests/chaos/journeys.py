"""What the hospital's systems say about their patients in a run: journeys of messages, mixed as on a working day.

Everything about one requisition or critical value is told in order; many journeys go on at the same time. With each
message stands what has to come of it once it is acknowledged, so that the checks need not ask the gateway.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from threading import Lock
from typing import Any

from gateway.demo.messages import (
    CT_PRICE,
    LAB_DEPT,
    Request,
    acknowledgement,
    contrast_charge,
    critical_value,
    ct_requisition,
    inpatient,
    now,
    outpatient,
    patient,
    record,
    refund,
    report,
    status,
    visit_event,
)

NO_MONEY = Decimal(0)
CT, SUPPLEMENT, BLOOD = Decimal(CT_PRICE), Decimal("126.80"), Decimal("38.00")
JOURNEYS_OF_A_VISIT = 3
"""So many requisitions share one inpatient visit, and so the order of its money."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message and what has to come of it."""

    sender: str
    operation: str
    request: Request
    about: str
    """The requisition, critical value or visit it is about: all about one is told in order."""
    reaches: tuple[str, ...] = ()
    """The partners that must have it."""
    net: Decimal = NO_MONEY
    """What HIS has to book for it: a charge, or less than nothing for a refund."""
    paid: Decimal = NO_MONEY
    """What it says that HIS has booked by itself."""
    step: str = ""
    """NEW, UPDATE or CANCEL of a requisition, the event of a status; for the checks and the report."""
    again_after: tuple[str, ...] = ()
    """Refusals after which the sender's staff try again, because their cause goes away."""

    @property
    def is_read(self) -> bool:
        return self.operation.startswith(("Get", "Query"))


Journey = Iterator[Message]


def laboratory(number: int, chance: random.Random) -> Journey:
    """An outpatient's blood count, paid at the cashier."""
    who, visit, requisition = patient(number % 9000, "测试一"), outpatient(number), f"LAB{number:06d}"
    order = _blood_count(requisition, who, visit)
    yield _message("HIS", "SubmitRequisition", order, requisition, ("LIS",), paid=BLOOD, step="NEW")
    for event in ("REGISTER", "EXAM_DONE"):
        yield _status("LIS", requisition, event)
    if chance.random() < 0.2:
        asked = {"RequisitionNo": requisition}
        yield _message("LIS", "QueryRequisition", asked, requisition)
    yield _report("LIS", requisition, who)


def tomography(number: int, chance: random.Random) -> Journey:
    """An inpatient's CT: booked, charged at registration, more contrast agent charged, perhaps given back, reported."""
    who, visit, requisition = _in_bed(number), _stay(number), f"CT{number:06d}"
    yield _sent_by_nurse(requisition, who, visit)
    yield _status("PACS", requisition, "BOOK", ScheduledAt=now())
    yield _status("PACS", requisition, "REGISTER", net=CT)
    if chance.random() < 0.25:
        wanted = record(who, visit, "THIS_VISIT", orders=False)
        yield _message("PACS", "GetMedicalRecord", wanted, requisition)
    more = contrast_charge(f"JF{number:06d}", requisition, who, visit)
    yield _message("PACS", "ChargeItem", more, requisition, ("HIS",), net=SUPPLEMENT)
    yield _status("PACS", requisition, "EXAM_DONE")
    if chance.random() < 0.4:
        back = _refund(f"TF{number:06d}", [(1, "YP1108", SUPPLEMENT)], OriginalChargeNo=f"JF{number:06d}")
        yield _message("PACS", "RefundItem", back, requisition, ("HIS",), net=-SUPPLEMENT, again_after=("RFD-404",))
    yield _report("PACS", requisition, who)


def fall_from_the_table(number: int, chance: random.Random) -> Journey:
    """The exam is registered and charged, then cannot be done: the department gives everything back."""
    who, visit, requisition = _in_bed(number), _stay(number), f"FALL{number:06d}"
    yield _sent_by_nurse(requisition, who, visit)
    yield _status("PACS", requisition, "REGISTER", net=CT)
    back = refund(f"TF{number:06d}", "PERFORM_DEPT", "OTHER", "患者坠床，检查未做", RequisitionNo=requisition)
    yield _message("PACS", "RefundItem", back, requisition, ("HIS",), net=-CT, again_after=("RFD-404",))
    yield _status("PACS", requisition, "STOP", Reason="患者坠床，检查终止")


def changed_and_cancelled(number: int, chance: random.Random) -> Journey:
    """The ward changes its mind: more urgent, and then, perhaps, not at all."""
    who, visit, requisition = _in_bed(number), _stay(number), f"CHG{number:06d}"
    order = ct_requisition(requisition, who, visit, ReleaseEvent="NURSE_SENT")
    yield _message("HIS", "SubmitRequisition", order, requisition, ("PACS",), step="NEW")
    steps = ["UPDATE"] + ["CANCEL"] * (chance.random() < 0.6)
    for step in steps:
        changed = {**order, "Action": step, "Priority": "STAT"}
        yield _message("HIS", "SubmitRequisition", changed, requisition, step=step, again_after=("REQ-423",))


def critical(number: int, chance: random.Random) -> Journey:
    """A potassium or an embolism, and everybody who has to know of it."""
    who, visit, source = _in_bed(number), _stay(number), chance.choice(("PACS", "LIS"))
    value = critical_value(
        f"WJZ{number:06d}", "6" if source == "PACS" else "1", "血钾 7.2 mmol/L，请处理。", who, visit
    )
    about = f"WJZ{number:06d}"
    yield _message(source, "PushCriticalValue", value, about, ("HIS", "EMR"))
    for ack_type in ("RECEIVE_NURSE", "RECEIVE_DOCTOR", "HANDLE"):
        opinion = "停补钾，葡萄糖酸钙静推。" if ack_type == "HANDLE" else None
        answer = acknowledgement(about, source, f"QR{number:06d}-{ack_type}", ack_type, opinion)
        yield _message("HIS", "AcknowledgeCriticalValue", answer, about, (source,), step=ack_type)


def admission(number: int, chance: random.Random) -> Journey:
    """A patient comes to the ward and changes beds."""
    who, visit = patient(number % 9000, "测试二"), inpatient(500_000 + number)
    for event in ("ADMIT", "TRANSFER"):
        told = visit_event(f"JZ{number:06d}-{event}", event, who, visit)
        yield _message("HIS", "ReportVisitEvent", told, visit["VisitNo"], ("PACS", "LIS", "EMR"), step=event)


MIX: tuple[tuple[Callable[[int, random.Random], Journey], int], ...] = (
    (laboratory, 46),
    (tomography, 25),
    (fall_from_the_table, 6),
    (changed_and_cancelled, 7),
    (critical, 9),
    (admission, 7),
)
"""Journeys and their weights: mostly statuses, as on a hospital's day, and more money and changes than that has."""


class Waiting:
    """Hands out journeys until as many messages were sent as are wanted; for any number of threads."""

    def __init__(self, messages: int, seed: int) -> None:
        self.wanted = messages
        self.begun = 0
        """Messages sent for the first time."""
        self._chance = random.Random(seed)
        self._numbers = count(1)
        self._lock = Lock()

    def next(self) -> Journey | None:
        """Another patient, None when there are enough."""
        with self._lock:
            if self.begun >= self.wanted:
                return None
            number, kinds, weights = next(self._numbers), *zip(*MIX, strict=True)
            journey = self._chance.choices(kinds, weights)[0]
            return journey(number, random.Random(self._chance.random()))

    def count(self) -> int:
        """Note a message; its number."""
        with self._lock:
            self.begun += 1
            return self.begun


# --- the messages -----------------------------------------------------------------------------------------------------


def _message(
    sender: str, operation: str, request: Request, about: str, reaches: tuple[str, ...] = (), **more: Any
) -> Message:
    return Message(sender=sender, operation=operation, request=request, about=about, reaches=reaches, **more)


def _sent_by_nurse(requisition: str, who: Request, visit: Request) -> Message:
    order = ct_requisition(requisition, who, visit, ReleaseEvent="NURSE_SENT")
    return _message("HIS", "SubmitRequisition", order, requisition, ("PACS",), step="NEW")


def _status(sender: str, requisition: str, event: str, *, net: Decimal = NO_MONEY, **more: Any) -> Message:
    told = status(requisition, event, **more)
    return _message(sender, "ReportStatus", told, requisition, ("HIS",), step=event, net=net)


def _report(sender: str, requisition: str, who: Request) -> Message:
    told = report(f"BG-{requisition}", requisition, who)
    return _message(sender, "SubmitReport", told, requisition, ("HIS", "EMR"), step="FINAL")


def _refund(number: str, lines: list[tuple[int, str, Decimal]], **original: str) -> Request:
    back = refund(number, "PERFORM_DEPT", "OTHER", "多计一支", **original)
    back["Lines"] = {
        "Line": [
            {"OriginalLineNo": line, "ChargeCode": code, "RefundQuantity": 1, "RefundAmount": amount}
            for line, code, amount in lines
        ]
    }
    return back


def _blood_count(requisition: str, who: Request, visit: Request) -> Request:
    order = ct_requisition(requisition, who, visit, ReleaseEvent="PAID", PaidAt=now(), ReceiptNo=f"FP-{requisition}")
    item = {
        "ItemSeq": 1,
        "OrderNo": f"YZ-{requisition}-1",
        "ItemCode": "XCG01",
        "ItemName": "血常规",
        "Quantity": 1,
        "UnitPrice": BLOOD,
        "Amount": BLOOD,
    }
    blood = {"RequisitionType": "LAB", "PerformDeptCode": LAB_DEPT, "PerformDeptName": "检验科"}
    return {**order, **blood, "Purpose": "复查", "Items": {"Item": [item]}}


def _in_bed(number: int) -> Request:
    return patient(number // JOURNEYS_OF_A_VISIT % 9000, "测试三")


def _stay(number: int) -> Request:
    return inpatient(number // JOURNEYS_OF_A_VISIT)
