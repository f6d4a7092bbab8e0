"""Watches the clocks of critical values: when one runs out, those next in the chain are told, level after level.

Being late is a flag and changes no state. What is told is stored with the fact that it was told, in one transaction:
each level of a stage once, however many processes look (docs/specification/critical-value.md, "When a clock runs out").
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

from gateway.config import Rules
from gateway.critical_rules import CriticalLevel
from gateway.messages.critical_value import PushCriticalValueRequest, StaffRef
from gateway.messages.wire import Wire
from gateway.model.critical_value import CriticalEscalation, CriticalStage, CriticalValue, Notification
from gateway.model.journal import Alert
from gateway.operations.critical_loop import subject_of, tell_again
from gateway.operations.dispatch import Dispatch

MOST_AT_ONCE = 500
POSTPONED = timedelta(minutes=1)
"""Until a value is looked at again that could not be told: it must not hold up the others."""
LATE = {
    CriticalStage.NOTIFY: "危急值未送达，请电话通知 (not delivered to HIS: telephone)",
    CriticalStage.RECEIVE: "危急值超时未接收，请电话通知 (not received in time: telephone)",
    CriticalStage.FORWARD: "危急值超时未转医生 (not passed to a doctor in time)",
    CriticalStage.HANDLE: "危急值医生超时未处理 (the doctor has not handled it in time)",
    CriticalStage.TOTAL: "危急值总时限已过，仍未处理 (not handled in time)",
    CriticalStage.RETURN: "处理意见未回传，请电话告知报告科室 (the opinion has not reached who found it)",
}
ALERTS = {
    CriticalStage.NOTIFY: "CRITICAL_NOT_NOTIFIED",
    CriticalStage.RECEIVE: "CRITICAL_NOT_RECEIVED",
    CriticalStage.FORWARD: "CRITICAL_NOT_FORWARDED",
    CriticalStage.HANDLE: "CRITICAL_DOCTOR_LATE",
    CriticalStage.TOTAL: "CRITICAL_NOT_HANDLED",
    CriticalStage.RETURN: "CRITICAL_NOT_RETURNED",
}

_log = logging.getLogger(__name__)


class Escalation:
    """Looks at the values whose clocks have run out; each in a transaction of its own, safe on several processes."""

    def __init__(self, sessions: sessionmaker[Session], dispatch: Dispatch, wire: Wire, rules: Rules) -> None:
        self._sessions = sessions
        self._dispatch = dispatch
        self._wire = wire
        self._rules = rules

    def run(self, now: datetime) -> int:
        """Tell every level whose time has come; how many there were."""
        raised = 0
        for _ in range(MOST_AT_ONCE):
            found = self._next(now)
            if found is None:
                break
            raised += found
        return raised

    def _next(self, now: datetime) -> int | None:
        """The value that is due longest; None when none is."""
        with self._sessions.begin() as session:
            query = select(CriticalValue).where(CriticalValue.next_due <= now).order_by(CriticalValue.next_due)
            value = session.scalars(query.limit(1).with_for_update(skip_locked=True)).first()
            if value is None:
                return None
            try:
                with session.begin_nested():
                    return self._look(session, value, now)
            except (OperationalError, InterfaceError):
                raise
            except Exception as problem:
                _log.error("A late critical value could not be told.", exc_info=problem)
                value.next_due = now + POSTPONED
                return 0

    def _look(self, session: Session, value: CriticalValue, now: datetime) -> int:
        """Raise what is due, and note when to look again."""
        query = select(CriticalEscalation.stage, CriticalEscalation.level)
        told = {tuple(row) for row in session.execute(query.where(CriticalEscalation.critical_value_key == value.key))}
        raised, coming = 0, []
        for stage, deadline in value.running().items():
            moments = [deadline]
            for line in self._rules.critical.levels_for(stage, value.dept_code):
                at = deadline + timedelta(minutes=line.after_minutes)
                moments.append(at)
                if at <= now and (stage, line.level) not in told:
                    self._raise(session, value, stage, deadline, line, now)
                    raised += 1
            if deadline <= now:
                _alert_once(session, value, stage, now)
            coming += [at for at in moments if at > now]
        value.next_due = min(coming, default=None)
        return raised

    def _raise(
        self,
        session: Session,
        value: CriticalValue,
        stage: CriticalStage,
        deadline: datetime,
        line: CriticalLevel,
        now: datetime,
    ) -> None:
        """One level of one stage: a message to the systems of the route, a notification for each outside channel."""
        receivers = _receivers(value, line) or [self._rules.fallback_receiver]
        escalation = CriticalEscalation(
            critical_value_key=value.key,
            stage=stage,
            level=line.level,
            due_at=deadline,
            raised_at=now,
            receivers=",".join(receivers),
            partners=",".join(self._tell_systems(session, value, stage, deadline, line, receivers)),
        )
        session.add(escalation)
        session.flush()
        session.add_all(
            Notification(escalation_id=escalation.id, notifier=name, attempts=0, created_at=now, next_attempt_at=now)
            for name in line.notifiers
        )

    def _tell_systems(
        self,
        session: Session,
        value: CriticalValue,
        stage: CriticalStage,
        deadline: datetime,
        line: CriticalLevel,
        receivers: list[str],
    ) -> tuple[str, ...]:
        """An urgent UPDATE that names the level's receivers; HIS has done its part when only the return is missing."""
        if stage is CriticalStage.RETURN:
            return ()
        stored: PushCriticalValueRequest = self._wire.read_text("PushCriticalValueRequest", value.request)
        people = {code: StaffRef(code=code) for code in receivers if code != value.ward_code}
        if stored.reporter_code in people:
            people[stored.reporter_code] = StaffRef(code=stored.reporter_code, name=stored.reporter_name)
        named = stored.target_doctors if "WARD" in line.receivers else ()
        return tell_again(
            session,
            self._dispatch,
            self._wire,
            value,
            target_doctors=(*people.values(), *(doctor for doctor in named if doctor.code not in people))[:50],
            warning=LATE[stage],
            overdue_stage=stage,
            overdue_since=deadline,
            escalation_level=str(line.level),
        )


def _receivers(value: CriticalValue, line: CriticalLevel) -> list[str]:
    """The codes of a line, with WARD and REPORTER replaced by the value's own; what is not known is left out."""
    own = {"WARD": value.ward_code or value.dept_code, "REPORTER": value.reporter_code}
    return list(dict.fromkeys(code for name in line.receivers if (code := own.get(name, name))))


def _alert_once(session: Session, value: CriticalValue, stage: CriticalStage, now: datetime) -> None:
    query = select(func.count()).where(Alert.kind == ALERTS[stage], Alert.txn_no == value.key)
    if not session.scalar(query):
        session.add(Alert(raised_at=now, kind=ALERTS[stage], subject=subject_of(value), txn_no=value.key))
