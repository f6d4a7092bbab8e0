"""Every SOAP fault the gateway sends, in both versions of SOAP, and what its log says about it.

A fault names a stable code, the place in the message and what is expected there, in Chinese and English. Whatever was
not foreseen is logged by type and place in the source alone, since the text of an error may hold a patient's data; the
sender gets SYS-500 and a number by which the hospital's IT finds the line in the log.
"""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Iterator
from datetime import datetime
from traceback import walk_tb
from types import CodeType

from psycopg import OperationalError as ConnectionLost
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolExhausted

from gateway.contract import NAMESPACE
from gateway.errors import (
    InternalFault,
    MessageFault,
    NotAuthenticated,
    NotUnderstood,
    ServiceUnavailable,
    VersionMismatch,
)
from gateway.messages.common import GatewayFaultType
from gateway.messages.wire import Wire
from gateway.soap.envelope import SoapVersion

_log = logging.getLogger(__name__)

LONGEST_TEXT = 500
"""Characters, of the fault's text and of each field of its detail."""
DATABASE_IS_AWAY = (OperationalError, InterfaceError, PoolExhausted, ConnectionLost)


def as_fault(error: Exception) -> MessageFault:
    """The fault that tells a partner of any error."""
    if isinstance(error, MessageFault):
        return error
    if isinstance(error, DATABASE_IS_AWAY) or (isinstance(error, DBAPIError) and error.connection_invalidated):
        return ServiceUnavailable()
    return InternalFault()


def new_error_id(now: datetime) -> str:
    """A number to read out on the telephone: E, the time, eight random digits in hexadecimal."""
    return f"E{now:%y%m%d%H%M%S}-{secrets.token_hex(4)}"


# --- In the answer ----------------------------------------------------------------------------------------------------


def fault_content(version: SoapVersion, fault: MessageFault, error_id: str, wire: Wire) -> str:
    """The soap:Fault element, for the soap:Body of an answer."""
    detail = f'<GatewayFault xmlns="{NAMESPACE}">{wire.write(_detail(fault, error_id))}</GatewayFault>'
    if version is SoapVersion.V12:
        return _fault_12(fault, detail)
    return (
        f"<soap:Fault><faultcode>soap:{_code(fault, 'Client', 'Server')}</faultcode>"
        f"<faultstring>{_text(fault, fault.text_zh, fault.text_en)}</faultstring><detail>{detail}</detail></soap:Fault>"
    )


def http_status(version: SoapVersion, fault: MessageFault) -> int:
    """The status of the HTTP answer (docs/specification/answers-and-errors.md)."""
    if isinstance(fault, NotAuthenticated) and not fault.credentials_came:
        return 401
    if fault.http_status != 500 or version is SoapVersion.V11:
        return fault.http_status
    is_senders = fault.sender and not isinstance(fault, (NotUnderstood, VersionMismatch))
    return 400 if is_senders else 500  # SOAP 1.2 part 2, table 20


def _fault_12(fault: MessageFault, detail: str) -> str:
    # One text in both languages: SOAP 1.2 allows one for each language, but gSOAP then reads no fault at all.
    return (
        f"<soap:Fault><soap:Code><soap:Value>soap:{_code(fault, 'Sender', 'Receiver')}</soap:Value><soap:Subcode>"
        f'<soap:Value xmlns:gw="{NAMESPACE}">gw:{fault.code}</soap:Value></soap:Subcode></soap:Code><soap:Reason>'
        f'<soap:Text xml:lang="zh">{_text(fault, fault.text_zh, fault.text_en)}</soap:Text></soap:Reason>'
        f"<soap:Detail>{detail}</soap:Detail></soap:Fault>"
    )


def _code(fault: MessageFault, sender: str, receiver: str) -> str:
    if isinstance(fault, NotUnderstood):
        return "MustUnderstand"
    if isinstance(fault, VersionMismatch):
        return "VersionMismatch"
    return sender if fault.sender else receiver


def _text(fault: MessageFault, *texts: str) -> str:
    text = _cut(f"[{fault.code}] {' / '.join(texts)}")
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _detail(fault: MessageFault, error_id: str) -> GatewayFaultType:
    return GatewayFaultType(
        code=fault.code,
        message=_cut(fault.text_zh),
        message_en=_cut(fault.text_en),
        error_id=error_id,
        path=_cut(fault.path) or None,
        expected=_cut(fault.expected) or None,
        retryable=fault.retryable,
    )


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"


# --- In the log -------------------------------------------------------------------------------------------------------


def log_fault(
    error: Exception, fault: MessageFault, error_id: str, *, operation: str = "", client: str = "", message: str = ""
) -> None:
    """One line of codes and numbers; for an error of ours also what happened where, without any value."""
    said = (fault.code, error_id, operation or "-", client or "-", message or "-")
    if fault.sender:
        _log.info("Fault %s %s: operation %s, client %s, message %s", *said)
    else:
        _log.error("Fault %s %s: operation %s, client %s, message %s: %s", *said, " <- ".join(_story(error)))


def _story(error: BaseException | None) -> Iterator[str]:
    """An error and its causes by type and place; never their texts, which may quote the message."""
    for _ in range(10):
        if error is None:
            return
        state = getattr(getattr(error, "orig", error), "sqlstate", None)
        places = [_place(frame.f_code, line) for frame, line in walk_tb(error.__traceback__)]
        name = f"{type(error).__module__}.{type(error).__qualname__}"
        yield f"{name}{f' (SQLSTATE {state})' if state else ''} at {', '.join(reversed(places)) or '-'}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _place(code: CodeType, line: int) -> str:
    folder, name = os.path.split(code.co_filename)
    return f"{os.path.basename(folder)}/{name}:{line} {code.co_name}"
