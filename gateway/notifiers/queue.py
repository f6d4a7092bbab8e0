"""Sends what waits for one outside channel, again and again until it is taken; a crash in between loses nothing.

A notification is written with the escalation it tells of. Before it is sent it is put off by a while, so that another
process takes it up again should this one die; only what the channel has taken is done.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, sessionmaker

from gateway.critical_rules import NotifierSettings, WebhookNotifier
from gateway.model.critical_value import CriticalValue, Notification
from gateway.model.journal import Alert
from gateway.notifiers.mail import Mail
from gateway.notifiers.notice import Notice, Notifier, NotTaken, notice_of
from gateway.notifiers.webhook import Webhook

TAKEN_OVER = timedelta(minutes=2)
"""After which an attempt nobody finished is made again; longer than any time-out."""
WAITS = (5, 15, 60, 300)
"""Seconds before the second, third ... attempt; the last for all that follow."""
ALARMING_ATTEMPT = 3
LONGEST = timedelta(days=1)
"""After which it is given up, with an alert: nobody can act on it any more."""


def make_notifier(settings: NotifierSettings) -> Notifier:
    return Webhook(settings) if isinstance(settings, WebhookNotifier) else Mail(settings)


class NotificationQueue:
    """What waits for one channel; any number of processes may run the same one."""

    def __init__(
        self, name: str, notifier: Notifier, sessions: sessionmaker[Session], clock: Callable[[], datetime]
    ) -> None:
        self.name = name
        self._notifier = notifier
        self._sessions = sessions
        self._clock = clock

    def run(self) -> int:
        """Try everything that is due; how much the channel has taken."""
        taken = 0
        while (work := self._begin()) is not None:
            number, notice = work
            try:
                self._notifier.send(notice)
            except NotTaken as reason:
                self._put_off(number, str(reason))
            else:
                self._done(number)
                taken += 1
        return taken

    def _begin(self) -> tuple[int, Notice] | None:
        with self._sessions.begin() as session:
            row = session.scalars(
                select(Notification)
                .where(Notification.notifier == self.name, Notification.next_attempt_at <= self._clock())
                .options(joinedload(Notification.escalation))
                .order_by(Notification.next_attempt_at)
                .limit(1)
                .with_for_update(skip_locked=True, of=Notification)
            ).first()
            if row is None:
                return None
            now = self._clock()
            row.attempts += 1
            row.next_attempt_at = now + TAKEN_OVER
            value = session.get_one(CriticalValue, row.escalation.critical_value_key)
            return row.id, notice_of(row, value, now)

    def _done(self, number: int) -> None:
        with self._sessions.begin() as session:
            row = session.get_one(Notification, number, with_for_update=True)
            row.sent_at, row.next_attempt_at, row.last_code = self._clock(), None, "TAKEN"

    def _put_off(self, number: int, code: str) -> None:
        now = self._clock()
        with self._sessions.begin() as session:
            row = session.get_one(Notification, number, with_for_update=True)
            if row.sent_at is not None:
                return
            row.last_code = code
            over = now - row.created_at > LONGEST
            wait = WAITS[min(row.attempts, len(WAITS)) - 1]
            row.next_attempt_at = None if over else now + timedelta(seconds=wait)
            if over or row.attempts == ALARMING_ATTEMPT:
                kind = "NOTICE_GIVEN_UP" if over else "NOTICE_NOT_TAKEN"
                value = session.get_one(CriticalValue, row.escalation.critical_value_key)
                subject = f"notice GW-N{row.id} by {row.notifier}, critical value {value.critical_id}: {code}"
                session.add(Alert(raised_at=now, kind=kind, subject=subject, txn_no=value.key))
