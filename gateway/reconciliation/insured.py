"""Our side of an insurer's books: what was uploaded to the platform of each charge, as tables for the comparison."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session

from gateway.reconciliation.ours import Window

_BATCHES = """
WITH wanted AS MATERIALIZED ({wanted}), amounts AS (
    SELECT w.number, sum(coalesce(l.amount, m.amount, 0)) AS amount
    FROM wanted w JOIN insurance_batch b ON b.number = w.number JOIN insurance_line l ON l.batch_number = w.number
    LEFT JOIN money_line_now m ON m.transaction_key = b.transaction_key AND m.line_no = l.line_no GROUP BY w.number
)
INSERT INTO reconcile_ours (key, number, direction, sender, branch, dept, visit_no, requisition_no, own_no, at, core,
    amount, state, by_his)
SELECT b.number, b.number, 'CHARGE', t.sender_code, b.branch_code, b.perform_dept_code, b.visit_no,
    coalesce(q.requisition_no, ''), t.number, b.occurred_at, b.occurred_at >= :day_begin AND b.occurred_at < :day_end,
    coalesce(a.amount, 0),
    CASE WHEN newest.state IN ('UPLOADED', 'SETTLED', 'WITHDRAWING') THEN 'BOOKED'
         WHEN newest.state IN ('WITHDRAWN', 'REFUSED') THEN 'CANCELLED' ELSE 'PENDING' END,
    false
FROM wanted w JOIN insurance_batch b ON b.number = w.number
JOIN money_transaction t ON t.key = b.transaction_key
LEFT JOIN requisition q ON q.key = t.requisition_key
LEFT JOIN amounts a ON a.number = w.number
LEFT JOIN LATERAL (
    SELECT e.state FROM insurance_event e WHERE e.subject = b.number ORDER BY e.id DESC LIMIT 1) newest ON true
"""
_OF_THE_DAY = """
    SELECT number FROM insurance_batch
    WHERE hospital_code = :hospital AND occurred_at >= :begin AND occurred_at < :end
"""
_NAMED_BY_THEM = """
    SELECT DISTINCT b.number FROM reconcile_theirs r
    JOIN insurance_batch b ON b.hospital_code = :hospital AND b.number = r.number
    WHERE NOT EXISTS (SELECT FROM reconcile_ours o WHERE o.key = b.number)
"""


def load_day(session: Session, window: Window) -> None:
    """Into reconcile_ours: the batches of the day and around midnight, by the time of their charges."""
    session.execute(text(_BATCHES.format(wanted=_OF_THE_DAY)), window.parameters())


def load_named(session: Session, window: Window) -> None:
    """Into reconcile_ours: what the other side names and we have uploaded on any other day."""
    session.execute(text(_BATCHES.format(wanted=_NAMED_BY_THEM)), window.parameters())
