"""Our side of the books: the only place that knows how the gateway keeps money, as tables for the comparison."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from gateway.reconciliation.booking import Counterpart

TABLE = """
CREATE TEMPORARY TABLE reconcile_ours (
    id bigint GENERATED ALWAYS AS IDENTITY, key text, number text, direction text, sender text, branch text, dept text,
    visit_no text, requisition_no text, own_no text, at timestamptz, core boolean, amount numeric(16, 2), state text,
    by_his boolean, pair bigint
) ON COMMIT DROP
"""

_OF_THE_DAY = """
    SELECT key FROM money_transaction
    WHERE hospital_code = :hospital AND created_at >= :begin AND created_at < :end
    UNION SELECT key FROM money_transaction
    WHERE hospital_code = :hospital AND occurred_at >= :begin AND occurred_at < :end
    UNION SELECT s.transaction_key FROM money_state s JOIN money_transaction t ON t.key = s.transaction_key
    WHERE t.hospital_code = :hospital AND s.at >= :begin AND s.at < :end
"""
_NAMED_BY_THEM = """
    SELECT DISTINCT t.key FROM reconcile_theirs r
    JOIN money_transaction t ON t.hospital_code = :hospital AND t.number = r.number
    WHERE NOT EXISTS (SELECT FROM reconcile_ours o WHERE o.key = t.key)
"""
_BOOKINGS = """
WITH wanted AS MATERIALIZED ({wanted}), amounts AS (
    SELECT w.key, coalesce(sum(l.amount), 0) AS amount
    FROM wanted w JOIN money_line_now l ON l.transaction_key = w.key GROUP BY w.key
), corrections AS (
    SELECT w.key, sum(l.amount) AS amount
    FROM wanted w
    JOIN money_now c ON c.original_key = w.key AND c.kind = 'ADJUST' AND c.state = 'CONFIRMED'
    JOIN money_line_now l ON l.transaction_key = c.key GROUP BY w.key
), told AS (
    SELECT t.key, t.number, t.sender_code, t.branch_code, coalesce(t.perform_dept_code, '') AS dept, t.visit_no,
        coalesce(q.requisition_no, '') AS requisition_no, coalesce(t.his_no, '') AS own_no,
        CASE WHEN t.source = 'HIS' THEN t.occurred_at ELSE coalesce(t.settled_at, t.created_at) END AS at,
        CASE WHEN t.kind IN ('REFUND', 'REVERSAL') THEN -coalesce(a.amount, 0) ELSE coalesce(a.amount, 0) END
            + coalesce(c.amount, 0) AS amount,
        CASE WHEN t.kind IN ('REFUND', 'REVERSAL') OR t.kind = 'ADJUST' AND a.amount < 0 THEN 'REFUND'
            ELSE 'CHARGE' END AS direction,
        CASE WHEN t.state = 'CONFIRMED' THEN 'BOOKED'
             WHEN t.state IN ('REJECTED', 'REVERSED') THEN 'CANCELLED' ELSE 'PENDING' END AS state,
        t.source = 'HIS' AND t.number LIKE 'GW-%' AS by_his
    FROM wanted w JOIN money_now t USING (key)
    LEFT JOIN amounts a USING (key) LEFT JOIN corrections c USING (key)
    LEFT JOIN requisition q ON q.key = t.requisition_key
    WHERE t.kind <> 'ADJUST' OR t.original_key IS NULL
)
INSERT INTO reconcile_ours (key, number, direction, sender, branch, dept, visit_no, requisition_no, own_no, at, core,
    amount, state, by_his)
SELECT key, number, direction, sender_code, branch_code, dept, visit_no, requisition_no, own_no, at,
    at >= :day_begin AND at < :day_end, CASE WHEN direction = 'REFUND' THEN -amount ELSE amount END, state, by_his
FROM told
"""
"""A correction of a charge (ADJUST) belongs to it; one without is a booking of its own."""

_MISSED = """
INSERT INTO reconcile_found (kind, identity, direction, dept, branch, sender, number, visit_no, requisition_no,
    item_seq, our_at)
SELECT 'MISSED_CHARGE', concat_ws('|', 'ITEM', r.branch_code, r.requisition_no, i.item_seq), 'CHARGE',
    r.perform_dept_code, r.branch_code, r.sender_code, '', r.visit_no, r.requisition_no, i.item_seq, min(s.occurred_at)
FROM status_record s
JOIN requisition r ON r.key = s.requisition_key
JOIN requisition_item i ON i.requisition_key = r.key AND (s.item_seq IS NULL OR s.item_seq = i.item_seq)
WHERE s.occurred_at >= :day_begin AND s.occurred_at < :day_end AND s.applied AND s.to_status = '30'
    AND r.hospital_code = :hospital AND r.charge_point IN ('REGISTER', 'NURSE_SEND')
    AND i.status_code IN ('30', '40', '50', '60') AND NOT i.refunded
    AND NOT EXISTS (
        SELECT FROM charge_once c WHERE c.hospital_code = r.hospital_code AND c.branch_code = r.branch_code
            AND c.requisition_no = r.requisition_no AND c.item_seq = i.item_seq)
GROUP BY r.key, i.item_seq
"""

_NOT_PERFORMED = """
INSERT INTO reconcile_found (kind, identity, direction, dept, branch, sender, number, visit_no, requisition_no,
    item_seq, our_key, our_amount, our_state, our_at)
SELECT 'NOT_PERFORMED', concat_ws('|', 'ITEM', r.branch_code, r.requisition_no, i.item_seq), 'CHARGE',
    r.perform_dept_code, r.branch_code, t.sender_code, t.number, r.visit_no, r.requisition_no, i.item_seq, t.key,
    sum(l.amount), 'BOOKED', min(t.occurred_at)
FROM money_now t
JOIN charge_once c ON c.transaction_key = t.key
JOIN money_line_now l ON l.transaction_key = c.transaction_key AND l.line_no = c.line_no
JOIN requisition r ON r.hospital_code = c.hospital_code AND r.requisition_no = c.requisition_no
    AND r.branch_code = c.branch_code
JOIN requisition_item i ON i.requisition_key = r.key AND i.item_seq = c.item_seq
WHERE t.hospital_code = :hospital AND t.occurred_at >= :charged_begin AND t.occurred_at < :charged_end
    AND t.state = 'CONFIRMED' AND i.status_code IN ('00', '10', '20', '90', '91')
GROUP BY r.key, i.item_seq, t.key, t.sender_code, t.number
"""


@dataclass(frozen=True, slots=True)
class Window:
    """Which bookings are looked at: those of a day, and those around its midnights."""

    hospital_code: str
    counterpart: Counterpart
    begin: datetime
    tolerance: timedelta

    def parameters(self) -> dict[str, object]:
        end = self.begin + timedelta(days=1)
        around = {"begin": self.begin - self.tolerance, "end": end + self.tolerance}
        return {"hospital": self.hospital_code, "day_begin": self.begin, "day_end": end, **around}


def load_day(session: Session, window: Window) -> None:
    """Into reconcile_ours: what we have of the day and around midnight.

    HIS's own bookings count at the time HIS gave, all others when the outcome was known.
    """
    session.execute(text(_BOOKINGS.format(wanted=_OF_THE_DAY)), window.parameters())


def load_named(session: Session, window: Window) -> None:
    """Into reconcile_ours: what the other side names and we have on any other day."""
    session.execute(text(_BOOKINGS.format(wanted=_NAMED_BY_THEM)), window.parameters())


def find_missed_charges(session: Session, hospital_code: str, day_begin: datetime) -> None:
    """Into reconcile_found: items registered on the day that ought to be charged by now and are not."""
    parameters = {"hospital": hospital_code, "day_begin": day_begin, "day_end": day_begin + timedelta(days=1)}
    session.execute(text(_MISSED), parameters)


def find_not_performed(session: Session, hospital_code: str, day_begin: datetime, days: int) -> None:
    """Into reconcile_found: charges that became so many days old on the day without an exam."""
    begin = day_begin - timedelta(days=days)
    parameters = {"hospital": hospital_code, "charged_begin": begin, "charged_end": begin + timedelta(days=1)}
    session.execute(text(_NOT_PERFORMED), parameters)
