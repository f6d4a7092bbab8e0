"""What a failed call to a partner means: was the request certainly not carried out, or may it have been?

`FAILURES` decides, with one fact beside it: as long as nothing of the request was handed to the network, no partner can
have carried it out (docs/specification/delivery.md, "After an attempt").
"""

from __future__ import annotations

import http.client as http
import socket
import ssl
from dataclasses import dataclass

import zeep.exceptions as soap

from gateway.errors import InvalidMessage
from gateway.mapping.codes import Unmapped, UnmappedPolicy
from gateway.mapping.errors import MappingFailed, NotWanted, PayloadUnreadable, StylesheetBroken
from gateway.operations.dispatch import MAPPING, UNMAPPED, MissingCode, Outcome, PartnerAnswer
from gateway.partners.connection import Exchange
from gateway.partners.files import UnusableFile


class UnusableReply(Exception):
    """The partner sent something that is no answer to the request; `code` says what it was."""

    def __init__(self, code: str, outcome: Outcome = Outcome.UNKNOWN, detail: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.outcome = outcome
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Failure:
    """How a kind of exception is told. UNKNOWN holds only once the request may have left; before, it is NOT_SENT."""

    outcome: Outcome
    code: str


_CUT_OFF = Failure(Outcome.UNKNOWN, "CUT-OFF")
_WRONG_ADDRESS = Failure(Outcome.NOT_SENT, "ADDRESS")
_WRONG_WSDL = Failure(Outcome.NOT_SENT, "WSDL")
_WRONG_MESSAGE = Failure(Outcome.FAULT, "MESSAGE")
_WRONG_MAPPING = Failure(Outcome.FAULT, MAPPING)
_UNEXPECTED = Failure(Outcome.UNKNOWN, "INTERNAL")

FAILURES: dict[type[BaseException], Failure] = {
    # Connecting, sending and reading
    TimeoutError: Failure(Outcome.UNKNOWN, "TIMEOUT"),
    OSError: _CUT_OFF,
    socket.gaierror: _CUT_OFF,
    socket.herror: _CUT_OFF,
    ssl.SSLError: _CUT_OFF,
    ssl.SSLZeroReturnError: _CUT_OFF,
    ssl.SSLWantReadError: _CUT_OFF,
    ssl.SSLWantWriteError: _CUT_OFF,
    ssl.SSLSyscallError: _CUT_OFF,
    ssl.SSLEOFError: _CUT_OFF,
    ssl.SSLCertVerificationError: _CUT_OFF,
    # What comes is no HTTP, or not all of it
    http.HTTPException: _CUT_OFF,
    http.RemoteDisconnected: _CUT_OFF,
    http.IncompleteRead: _CUT_OFF,
    http.BadStatusLine: _CUT_OFF,
    http.LineTooLong: _CUT_OFF,
    http.UnknownProtocol: _CUT_OFF,
    http.UnknownTransferEncoding: _CUT_OFF,
    http.UnimplementedFileMode: _CUT_OFF,
    http.NotConnected: _CUT_OFF,
    http.ImproperConnectionState: _CUT_OFF,
    http.CannotSendRequest: _CUT_OFF,
    http.CannotSendHeader: _CUT_OFF,
    http.ResponseNotReady: _CUT_OFF,
    # A certificate, key or authority in the partner's folder
    UnusableFile: Failure(Outcome.NOT_SENT, "FILES"),
    # An address in partner.toml with which no request can be made
    http.InvalidURL: _WRONG_ADDRESS,
    # Our own installation: the files of the contract cannot be used
    soap.WsdlSyntaxError: _WRONG_WSDL,
    soap.XMLParseError: _WRONG_WSDL,
    soap.XMLSyntaxError: _WRONG_WSDL,
    soap.DTDForbidden: _WRONG_WSDL,
    soap.EntitiesForbidden: _WRONG_WSDL,
    soap.ExternalReferenceForbidden: _WRONG_WSDL,
    soap.NamespaceError: _WRONG_WSDL,
    soap.IncompleteMessage: _WRONG_WSDL,
    soap.IncompleteOperation: _WRONG_WSDL,
    # Our own message: it does not fit the partner's contract, so no repetition can help
    soap.ValidationError: _WRONG_MESSAGE,
    soap.LookupError: _WRONG_MESSAGE,
    soap.UnexpectedElementError: _WRONG_MESSAGE,
    TypeError: _WRONG_MESSAGE,
    ValueError: _WRONG_MESSAGE,
    AttributeError: _WRONG_MESSAGE,
    LookupError: _WRONG_MESSAGE,
    InvalidMessage: _WRONG_MESSAGE,
    # The partner's stylesheets: they are broken, or cannot map this message
    StylesheetBroken: Failure(Outcome.NOT_SENT, "STYLESHEET"),
    MappingFailed: _WRONG_MAPPING,
    NotWanted: _WRONG_MAPPING,
    PayloadUnreadable: _WRONG_MAPPING,
    Unmapped: Failure(Outcome.FAULT, UNMAPPED),
    # zeep reads no answers here, so these would be a surprise
    soap.Fault: _UNEXPECTED,
    soap.TransportError: _UNEXPECTED,
    soap.SignatureVerificationFailed: _UNEXPECTED,
    soap.Error: _UNEXPECTED,
    Exception: _UNEXPECTED,
}


SPEAKING = (UnusableFile, StylesheetBroken, MappingFailed, PayloadUnreadable, Unmapped)
"""Exceptions whose text was written to be shown."""


OUR_CERTIFICATE_REFUSED = frozenset(
    {
        "TLSV13_ALERT_CERTIFICATE_REQUIRED",
        "TLSV1_ALERT_UNKNOWN_CA",
        "SSLV3_ALERT_BAD_CERTIFICATE",
        "SSLV3_ALERT_CERTIFICATE_EXPIRED",
        "SSLV3_ALERT_CERTIFICATE_REVOKED",
        "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
        "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
    }
)
"""By which a partner ends the connection because of our certificate. With TLS 1.3 it says so only after the request may
have left; but who does not let us in has read nothing of it."""


def told_as_answer(problem: Exception, way: Exchange) -> PartnerAnswer:
    """The outcome of a call that ended with this exception.

    Nothing of its text is kept, for it may hold the reply; only our own exceptions say what may be shown.
    """
    if isinstance(problem, UnusableReply):
        return PartnerAnswer(problem.outcome, problem.code, detail=problem.detail)
    detail = str(problem) if isinstance(problem, SPEAKING) else _words_of_tls(problem)
    if getattr(problem, "reason", None) in OUR_CERTIFICATE_REFUSED:
        return PartnerAnswer(Outcome.NOT_SENT, "TLS", detail=detail)
    if isinstance(problem, Unmapped) and not way.has_left:
        outcome = Outcome.NOT_SENT if problem.policy is UnmappedPolicy.PARK else Outcome.FAULT
        return PartnerAnswer(outcome, UNMAPPED, detail=detail, missing=MissingCode(problem.table, problem.value))
    failure = next(FAILURES[kind] for kind in type(problem).__mro__ if kind in FAILURES)
    if way.has_left:
        code = "INTERNAL" if failure.outcome is not Outcome.UNKNOWN else failure.code
        return PartnerAnswer(Outcome.UNKNOWN, code, detail=detail)
    if failure.outcome is Outcome.UNKNOWN:
        code = way.stage if failure is not _UNEXPECTED else failure.code
        return PartnerAnswer(Outcome.NOT_SENT, code, detail=detail)
    return PartnerAnswer(failure.outcome, failure.code, detail=detail)


def _words_of_tls(problem: Exception) -> str:
    """What OpenSSL says of a connection; it knows nothing of messages."""
    if not isinstance(problem, ssl.SSLError):
        return ""
    if said := getattr(problem, "verify_message", ""):
        return f"The partner's certificate: {said}."
    reason = getattr(problem, "reason", None)
    return f"TLS: {reason.replace('_', ' ').lower()}." if reason else ""
