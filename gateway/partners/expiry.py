"""Until when the certificates in partners' folders hold: who must renew them hears of it in time."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from sqlalchemy import or_, select, text
from sqlalchemy.orm import Session

from gateway.model.journal import Alert
from gateway.partner_config import Partner
from gateway.partners.credentials import signature_terms
from gateway.partners.files import Term, UnusableFile
from gateway.partners.tls import tls_terms

SOON = timedelta(days=30)
URGENT = timedelta(days=7)
LOOK_SECONDS = 3600.0
ENDS, UNUSABLE = "CERTIFICATE_ENDS", "PARTNER_FILES"
_ALONE = text("SELECT pg_try_advisory_xact_lock(1212635219)")


def terms_of_partner(partner: Partner) -> tuple[Term, ...]:
    """Of all certificates of its folder. Raises UnusableFile for one that cannot be used."""
    return (*tls_terms(partner), *signature_terms(partner))


def ending(terms: Iterable[Term], now: datetime) -> Iterator[str]:
    """What of these has ended, ends soon or has not begun, in words that change only when it becomes more urgent."""
    for term in terms:
        name = f"{term.path.name} ({term.what} {term.subject})"
        if term.ends <= now:
            yield f"{name} has ended on {term.ends:%Y-%m-%d}"
        elif term.begins > now:
            yield f"{name} holds only from {term.begins:%Y-%m-%d} on"
        elif term.ends - now <= SOON:
            within = (URGENT if term.ends - now <= URGENT else SOON).days
            yield f"{name} ends on {term.ends:%Y-%m-%d}, within {within} days"


class CertificateWatch:
    """Looks at the files of all partners every hour and alarms what ends or cannot be used; for one thread."""

    def __init__(self, partners: Iterable[Partner]) -> None:
        self._partners = tuple(partners)
        self._next_look = 0.0

    def __call__(self, session: Session, now: datetime) -> None:
        """Look, if it is time, in the transaction of this session; other processes may do the same."""
        if time.monotonic() < self._next_look or not session.scalar(_ALONE):
            return
        for partner in self._partners:
            for kind, said in _found(partner, now):
                _alert_once(session, kind, f"partner {partner.name}: {said}", now)
        self._next_look = time.monotonic() + LOOK_SECONDS


def _found(partner: Partner, now: datetime) -> Iterator[tuple[str, str]]:
    try:
        terms = terms_of_partner(partner)
    except UnusableFile as problem:
        yield UNUSABLE, str(problem)
        return
    yield from ((ENDS, said) for said in ending(terms, now))


def _alert_once(session: Session, kind: str, subject: str, now: datetime) -> None:
    """Once for each certificate and stage, whatever became of the alert; of a bad file every day that it stays bad."""
    known = select(Alert.id).where(Alert.kind == kind, Alert.subject == subject)
    if kind == UNUSABLE:
        known = known.where(or_(Alert.settled_at.is_(None), Alert.raised_at > now - timedelta(days=1)))
    if session.scalars(known.limit(1)).first() is None:
        session.add(Alert(raised_at=now, kind=kind, subject=subject, txn_no=None))
