"""The promises, each a function from the evidence of a run to what breaks it: an empty list is a promise kept.

Acknowledged means answered with ResultCode 0. What was not acknowledged may have happened or not, but never by half.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any

from gateway.delivery.locks import KINDS, kind_of
from gateway.delivery.sending import READS
from gateway.simulators.department import CANCELLED
from tests.chaos.evidence import Arrival, Booking, Evidence, Key, Sent, Stored

FINISHED = frozenset({"DELIVERED", "REFUSED", "DISCARDED"})
WITHDRAWN = "WITHDRAWN"
BUSINESS = frozenset({*KINDS, "ReportVisitEvent"})
CODE = re.compile(r"0|[A-Z]{3}-\d{3}")
"""What the gateway answers; all else is what went wrong on the way."""
QUESTIONS = frozenset({"UPDATE", "CANCEL"})
"""Steps for which the department is asked at once; a question whose answer was lost is put to it anew."""
UNAVAILABLE = frozenset({"SYS-429", "SYS-500", "SYS-503"})


# --- nothing is lost --------------------------------------------------------------------------------------------------


def acknowledged_but_lost(evidence: Evidence) -> list[str]:
    """Whatever was acknowledged is in the store, and every partner that must have it has done it."""
    lost = []
    done = [a for a in evidence.arrivals if a.is_applied and not a.is_reminder]
    applied = {(a.partner, a.operation, a.origin) for a in done}
    withdrawn = _withdrawn(evidence)
    for sent in _acknowledged(evidence):
        if sent.is_read:
            continue
        key = (sent.sender, sent.operation, sent.message_id)
        if key not in evidence.keys or not evidence.journal[key]:
            lost.append(f"{_name(sent)} is not in the store")
        for partner in sent.reaches:
            origin = (sent.sender, sent.message_id)
            if (partner, sent.operation, origin) not in applied and (partner, origin) not in withdrawn:
                lost.append(f"{_name(sent)} never got to {partner}")
    return lost + _forgotten_requisitions(evidence) + _missing_at_partners(evidence)


def _withdrawn(evidence: Evidence) -> set[tuple[str, Key]]:
    """Requisitions that never left, because their own sender changed or cancelled them before."""
    overtaken = {s.about for s in _acknowledged(evidence) if s.step in QUESTIONS}
    about = {(s.sender, s.message_id): s.about for s in evidence.sent}
    return {
        (d.partner, d.origin)
        for d in evidence.deliveries
        if d.state == "DISCARDED" and d.last_code == WITHDRAWN and about.get(d.origin) in overtaken
    }


def _forgotten_requisitions(evidence: Evidence) -> list[str]:
    """A change or cancellation that was acknowledged is what the department's worklist shows."""
    worklist = {
        record["requisition_no"]: record
        for partner in ("PACS", "LIS")
        for kind, record in evidence.remembered.get(partner, ())
        if kind == "worklist"
    }
    steps: dict[str, list[Sent]] = defaultdict(list)
    for sent in evidence.sent:
        if sent.operation == "SubmitRequisition" and sent.step in QUESTIONS:
            steps[sent.about].append(sent)
    wrong = []
    for number, told in steps.items():
        entry, last = worklist.get(number), told[-1]
        if last.outcome != "acknowledged":
            continue
        if last.step == "CANCEL" and entry is not None and entry["state"] != CANCELLED:
            wrong.append(f"{_name(last)} is still on the worklist")
        if last.step == "UPDATE" and (entry is None or "<Priority>STAT<" not in entry["request"]):
            wrong.append(f"{_name(last)} is not what the worklist shows")
    return wrong


def _missing_at_partners(evidence: Evidence) -> list[str]:
    """What a partner answered 0 to is also in its own books: else the run itself proves nothing."""
    known: dict[tuple[str, str], set[str]] = defaultdict(set)
    names = {"statuses": "requisition_no", "reports": "report_no", "critical_values": "critical_id"}
    for partner, records in evidence.remembered.items():
        for kind, record in records:
            if kind in names:
                known[partner, kind].add(str(record[names[kind]]))
    kinds = {"ReportStatus": "statuses", "PushCriticalValue": "critical_values", "SubmitReport": "reports"}
    missing = []
    for sent in _acknowledged(evidence):
        kind = kinds.get(sent.operation)
        number = f"BG-{sent.about}" if kind == "reports" else sent.about
        for partner in sent.reaches if kind else ():
            if number not in known[partner, str(kind)]:
                missing.append(f"{_name(sent)} is not in the books of {partner}")
    return missing


# --- nothing happens twice --------------------------------------------------------------------------------------------


def applied_twice(evidence: Evidence) -> list[str]:
    """One message has one effect: in the store, in the queue and at each partner."""
    twice = [
        f"{' '.join(key)} has {evidence.journal[key]} journal entries that are no repetition"
        for key in [(s.sender, s.operation, s.message_id) for s in evidence.sent if not _asks(s)]
        if evidence.journal[key] > 1
    ]
    twice += [f"{' '.join(fact)} stands {n} times in the store" for fact, n in evidence.effects.items() if n > 1]
    asked = {(s.sender, s.message_id) for s in evidence.sent if s.step in QUESTIONS}
    deliveries = Counter(
        (d.partner, d.operation, *d.origin)
        for d in evidence.deliveries
        if d.state == "DELIVERED" and _counts(d) and d.origin not in asked
    )
    twice += [f"{' '.join(key)} was delivered as {n} different messages" for key, n in deliveries.items() if n > 1]
    return twice + _applied_twice_at_partners(evidence) + _answered_otherwise(evidence)


def _asks(sent: Sent) -> bool:
    """Whether somebody is asked before the answer. Meanwhile its sender may run out of patience and send it again, and
    then two entries tell of one effect; the effects themselves are counted beside this."""
    asked = sent.net or sent.step in QUESTIONS or sent.operation == "PushCriticalValue"
    return bool(asked) or sent.is_read


def _applied_twice_at_partners(evidence: Evidence) -> list[str]:
    """A partner recognises a repetition by its MessageId or business number; whatever it did not, it did twice."""
    done: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for arrival in evidence.arrivals:
        if arrival.is_applied and not arrival.duplicate and _counts(arrival):
            done[arrival.partner, arrival.operation, *arrival.origin].add(arrival.message_id)
    found = [f"{' '.join(key)} was done {len(ids)} times" for key, ids in done.items() if len(ids) > 1]
    for partner, records in evidence.remembered.items():
        statuses = Counter((r["requisition_no"], r["event"]) for kind, r in records if kind == "statuses")
        found += [f"{partner} has {' '.join(fact)} {n} times" for fact, n in statuses.items() if n > 1]
    return found


def _answered_otherwise(evidence: Evidence) -> list[str]:
    """A message that was acknowledged and comes again is answered as the first time, and as a repetition."""
    return [
        f"{again.message_id} came again and was answered {again.code} (Duplicate={again.duplicate})"
        for again in evidence.repeated
        if not again.read and again.code not in UNAVAILABLE and CODE.fullmatch(again.code)
        if not (again.code == "0" and again.duplicate)
    ]


def charged_twice(evidence: Evidence) -> list[str]:
    """Per requisition the gateway's ledger, HIS's books and what was acknowledged are the same sum."""
    wrong = [f"{' '.join(n)} stands {t} times in the ledger" for n, t in _twice(evidence.ledger + evidence.paid)]
    wrong += [f"{' '.join(number)} stands {times} times in HIS's books" for number, times in _twice(evidence.his)]
    ledger, his, paid = (_by_requisition(books) for books in (evidence.ledger, evidence.his, evidence.paid))
    expected, told, open_ones = Counter[str](), Counter[str](), set[str]()
    for sent in evidence.sent:
        if sent.outcome == "acknowledged":
            expected[sent.about] += sent.net  # type: ignore[assignment]
            told[sent.about] += sent.paid  # type: ignore[assignment]
        elif sent.net or sent.paid:
            open_ones.add(sent.about)
    for number in sorted(set(expected) | set(ledger) | set(his) | set(paid)):
        if ledger[number] != his[number]:
            wrong.append(f"{number}: HIS has {his[number]}, our ledger {ledger[number]}")
        if number not in open_ones and ledger[number] != expected[number]:
            wrong.append(f"{number}: our ledger has {ledger[number]}, acknowledged were {expected[number]}")
        if number not in open_ones and paid[number] != told[number]:
            wrong.append(f"{number}: paid at the cashier are {paid[number]}, acknowledged were {told[number]}")
    return wrong + _codes_charged_twice(evidence)


def _codes_charged_twice(evidence: Evidence) -> list[str]:
    found = []
    for name, books in (("HIS", evidence.his), ("our ledger", evidence.ledger)):
        codes = Counter((booking.requisition_no, code) for booking in books for code in booking.codes)
        found += [f"{name} charges {code} of {number} {n} times" for (number, code), n in codes.items() if n > 1]
    return found


def half_done(evidence: Evidence) -> list[str]:
    """Every single charge stands in both books, with the same rest, or in neither."""
    ledger = {booking.number: booking.net for booking in evidence.ledger}
    his = {booking.number: booking.net for booking in evidence.his}
    return [
        f"charge {' '.join(number)}: our ledger has {ledger.get(number, 'nothing')}, HIS {his.get(number, 'nothing')}"
        for number in sorted(ledger.keys() | his.keys())
        if ledger.get(number) != his.get(number)
    ]


# --- nothing overtakes ------------------------------------------------------------------------------------------------


def out_of_order(evidence: Evidence) -> list[str]:
    """At each partner the messages of a lock come one after the other, as they were accepted."""
    return _overtaken_in_lock(evidence) + _overtaken_by_sender(evidence)


def _overtaken_in_lock(evidence: Evidence) -> list[str]:
    """No message begins before the one in front of it in its lock is done with, and none comes back after that."""
    arrivals: dict[tuple[str, str], list[Arrival]] = defaultdict(list)
    for arrival in evidence.arrivals:
        arrivals[arrival.partner, arrival.message_id].append(arrival)
    locks: dict[str, list[Stored]] = defaultdict(list)
    for delivery in sorted(evidence.deliveries, key=lambda one: one.id):
        if not delivery.lock.endswith("|") and (delivery.partner, delivery.message_id) in arrivals:
            locks[delivery.lock].append(delivery)
    found = []
    for lock, deliveries in locks.items():
        for first, then in pairwise(deliveries):
            one, two = (
                [a for a in arrivals[d.partner, d.message_id] if a.operation == d.operation] for d in (first, then)
            )
            if one and two and _overlap(one, two):
                found.append(f"{lock}: {then.message_id} began before {first.message_id} was done with")
    return found


def _overlap(one: Sequence[Arrival], two: Sequence[Arrival]) -> bool:
    began = min(arrival.arrived for arrival in two)
    applied = [arrival.at for arrival in one if arrival.is_applied]
    return max(arrival.arrived for arrival in one) > began or bool(applied and min(applied) > began)


def _overtaken_by_sender(evidence: Evidence) -> list[str]:
    """What a sender said of one thing came to each partner in the order in which it was said."""
    first: dict[tuple[str, str, Key], str] = {}
    for arrival in evidence.arrivals:
        place = (arrival.partner, arrival.operation, arrival.origin)
        if not arrival.is_reminder:
            first[place] = min(first.get(place, arrival.arrived), arrival.arrived)
    found = []
    said: dict[tuple[str, str, str], list[Sent]] = defaultdict(list)
    for sent in sorted(_acknowledged(evidence), key=lambda one: one.message_id[-6:]):
        for partner in sent.reaches:
            said[partner, kind_of(sent.operation), sent.about].append(sent)
    for (partner, _, _), messages in said.items():
        for one, two in pairwise(messages):
            times = [first.get((partner, m.operation, (m.sender, m.message_id))) for m in (one, two)]
            if times[0] and times[1] and times[0] > times[1]:
                found.append(f"{_name(two)} came to {partner} before {one.message_id}")
    return found


# --- the rest ---------------------------------------------------------------------------------------------------------


def wrongly_refused(evidence: Evidence) -> list[str]:
    """Nothing that the senders say is wrong, so nothing may be refused."""
    return [f"{_name(sent)} was refused with {sent.code}" for sent in evidence.sent if sent.outcome == "refused"]


def not_finished(evidence: Evidence) -> list[str]:
    """After the drain every message is answered, every delivery final, and no job of a final one is left."""
    silent = [sent for sent in evidence.sent if sent.outcome == "unanswered"]
    left = [f"{evidence.jobs} jobs are left although their deliveries are final"] if evidence.jobs else []
    return (
        left
        + [f"{_name(sent)} was never answered ({sent.code})" for sent in silent]
        + [
            f"delivery {d.message_id}, {d.operation} to {d.partner}: {d.state} ({d.last_code}), {d.attempts} attempts"
            for d in evidence.deliveries
            if d.state not in FINISHED and d.operation not in READS
        ]
    )


UNFINISHED = "not finished after the drain"
PROMISES: dict[str, Callable[[Evidence], list[str]]] = {
    "acknowledged but lost": acknowledged_but_lost,
    "applied twice": applied_twice,
    "charged twice, or not what was acknowledged": charged_twice,
    "half done: in one of the two books only": half_done,
    "order violations": out_of_order,
    "refused although nothing was wrong": wrongly_refused,
    UNFINISHED: not_finished,
}


def broken(evidence: Evidence) -> dict[str, list[str]]:
    """What breaks each promise."""
    return {promise: check(evidence) for promise, check in PROMISES.items()}


def redelivered(evidence: Evidence) -> int:
    """Arrivals at partners beyond the first of each message: allowed, since each is recognised there."""
    seen = Counter((a.partner, a.operation, a.message_id) for a in evidence.arrivals if a.is_applied)
    return sum(times - 1 for times in seen.values())


# --- words ------------------------------------------------------------------------------------------------------------


def _acknowledged(evidence: Evidence) -> Iterable[Sent]:
    return [sent for sent in evidence.sent if sent.outcome == "acknowledged"]


def _counts(one: Stored | Arrival) -> bool:
    """What the gateway says by itself of a late critical value repeats no message; reads have no effect."""
    return one.operation in BUSINESS and not one.is_reminder


def _by_requisition(books: Iterable[Booking]) -> Counter[str]:
    sums: Any = Counter()
    for booking in books:
        sums[booking.requisition_no or ""] += booking.net
    return sums  # type: ignore[no-any-return]


def _twice(books: Iterable[Booking]) -> list[tuple[Key, int]]:
    return [(number, times) for number, times in Counter(b.number for b in books).items() if times > 1]


def _name(sent: Sent) -> str:
    step = f" {sent.step}" if sent.step else ""
    return f"{sent.operation}{step} {sent.message_id} about {sent.about}"
