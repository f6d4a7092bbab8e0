"""A critical value nobody can read, be it against the contract or no XML at all, is kept and alarms the duty office.

A life may hang on it. The sender gets its fault all the same. Only what a known client with the right to push sends is
kept, so that nobody can flood the duty office.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Protocol

from gateway.errors import GatewayError, InvalidMessage
from gateway.security.authentication import AuthenticatedClient
from gateway.security.credentials import Credentials, read_credentials
from gateway.soap.cycle import VERSION_NAMES, Call
from gateway.soap.decoding import decode_beginning
from gateway.soap.envelope import SoapVersion, peek
from gateway.soap.front import Environ

OPERATION = "PushCriticalValue"
UTF8 = "text/xml; charset=utf-8"

_PUSH = re.compile(rb"<(?:[\w.-]+:)?Body\b[^>]*>\s*<(?:[\w.-]+:)?PushCriticalValue\b[^>]*>")


class Directory(Protocol):
    """Knows the clients: gateway/security/authentication.py."""

    def authenticate(self, credentials: Credentials | None) -> AuthenticatedClient:
        """The client these credentials prove; NotAuthenticated if they prove none."""
        ...


class KeepUnreadablePush(Protocol):
    """Stores the message and alarms the duty office; raises when it cannot."""

    def __call__(
        self,
        *,
        txn_no: str,
        received_at: datetime,
        sender_code: str,
        soap_version: str,
        xml: bytes,
        reason: InvalidMessage,
    ) -> None: ...


class UnreadablePushes:
    """Looks at every refused message, whether it is such a value."""

    def __init__(self, directory: Directory, keep: KeepUnreadablePush) -> None:
        self._directory = directory
        self._keep = keep

    def look_at(self, call: Call, error: Exception, environ: Environ) -> Exception:
        """What to answer: the error itself, or why the value could not even be kept (the sender should try again)."""
        if not isinstance(error, InvalidMessage) or call.message_id:
            return error
        try:
            if not call.operation:
                self._recognise(call, environ)
            if call.operation == OPERATION and call.caller is not None:
                self._keep(
                    txn_no=call.txn_no,
                    received_at=call.received_at,
                    sender_code=call.caller.name,
                    soap_version=VERSION_NAMES[call.version or SoapVersion.V11],
                    xml=call.xml,
                    reason=error,
                )
        except GatewayError:
            return error
        except Exception as problem:
            return problem
        return error

    def _recognise(self, call: Call, environ: Environ) -> None:
        """See whether something that is no XML begins as a push by somebody who may push."""
        try:
            text = decode_beginning(call.body, environ.get("CONTENT_TYPE", ""))
        except UnicodeError:
            return
        begins = _PUSH.search(text)
        seen = peek(text[: begins.end()], UTF8) if begins else None
        if begins is None or seen is None or seen[1] != OPERATION:
            return
        caller = self._directory.authenticate(read_credentials(seen[0], environ.get("HTTP_AUTHORIZATION")))
        caller.require(OPERATION)
        call.operation, call.caller = OPERATION, caller
        call.xml = text[begins.start() :]  # the header before it may hold a password
