"""What every way into the gateway shares: SOAP and facades at the web server, HL7 at its ports, polls."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session, sessionmaker

from gateway.bootstrap.core import Core
from gateway.errors import InvalidMessage
from gateway.facades.intake import Intake
from gateway.operations.push_critical_value import keep_unreadable_push
from gateway.operations.reception import Reception
from gateway.operations.table import HANDLERS
from gateway.operations.unit import Site
from gateway.security.authentication import ClientDirectory
from gateway.security.secrets import Secrets
from gateway.soap.unreadable import KeepUnreadablePush

MESSAGE_ID = re.compile(rb"<(?:[\w.-]+:)?MessageId>\s*([!-~]{1,64}?)\s*</")


@dataclass(frozen=True, slots=True)
class Doors:
    """What every way into the gateway shares: the web server's, and those of listeners beside it."""

    reception: Reception
    clients: ClientDirectory
    keep_unreadable_push: KeepUnreadablePush
    intake: Intake
    """Takes messages that were mapped."""


def make_doors(core: Core) -> Doors:
    """Nothing is connected yet."""
    settings = core.settings
    reception = Reception(
        sessions=core.sessions,
        contract=core.contract,
        wire=core.wire,
        site=Site(settings.hospital_code, settings.hospital_codes, settings.rules, settings.limits),
        dispatch=core.dispatch,
        handlers=HANDLERS,
        clock=core.clock,
    )
    clients = ClientDirectory(core.engine, Secrets.from_file(settings.key_file))
    keep = _KeepUnreadablePush(core.sessions, settings.hospital_code)
    intake = Intake(
        contract=core.contract,
        wire=core.wire,
        reception=reception,
        clients=clients,
        keep_unreadable_push=keep,
        require_room=core.room.require,
    )
    return Doors(reception, clients, keep, intake)


class _KeepUnreadablePush:
    """Stores a critical value nobody can read, in a transaction of its own."""

    def __init__(self, sessions: sessionmaker[Session], hospital_code: str) -> None:
        self._sessions = sessions
        self._hospital_code = hospital_code

    def __call__(
        self,
        *,
        txn_no: str,
        received_at: datetime,
        sender_code: str,
        soap_version: str,
        xml: bytes,
        reason: InvalidMessage,
    ) -> None:
        found = MESSAGE_ID.search(xml)
        with self._sessions.begin() as session:
            keep_unreadable_push(
                session,
                sender_code=sender_code,
                xml=xml,
                message_id=found[1].decode("ascii") if found else "",
                hospital_code=self._hospital_code,
                now=received_at,
                txn_no=txn_no,
                soap_version=soap_version,
            )
