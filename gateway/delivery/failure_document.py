"""Writes docs/specification/failures.md, and the table in delivery.md, from the tables the program decides by.

`python -m gateway.delivery.failure_document` writes both; a test compares them with what it would write.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC
from itertools import groupby
from pathlib import Path
from types import SimpleNamespace

from gateway.contract import NAMESPACE, Contract
from gateway.delivery.policy import Case, Step, Verdict, decide
from gateway.errors import MessageFault
from gateway.messages.wire import Wire
from gateway.model.delivery import DeliveryState, Lane
from gateway.operations.dispatch import UNMAPPED, Outcome, PartnerAnswer
from gateway.partners.client import Reply
from gateway.partners.connection import Exchange
from gateway.partners.database.failures import EXPLAINED as OF_DATABASES
from gateway.partners.failures import FAILURES, UnusableReply, told_as_answer
from gateway.partners.reply import ReplyReader

FOLDER = Path(__file__).parents[2] / "docs" / "specification"
SOAP11, SOAP12 = "http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope"
PAGE, TABLE_PAGE, SECTION = "failures.md", "delivery.md", "After an attempt"

KINDS = {
    "money": Case("ChargeItem", Lane.NORMAL, 1, 3),
    "a registration by which HIS charges": Case("ReportStatus", Lane.NORMAL, 1, 3, registers=True),
    "other messages": Case("ReportStatus", Lane.NORMAL, 1, 3),
    "critical values": Case("PushCriticalValue", Lane.CRITICAL, 1, 3),
    "questions that are not kept": Case("GetMedicalRecord", Lane.NORMAL, 1, 3, keep=False),
}
_LATER = SimpleNamespace(result=SimpleNamespace(retryable=True))
MEANINGS = {
    "answered `0`": PartnerAnswer(Outcome.ANSWERED, "0"),
    "answered no": PartnerAnswer(Outcome.ANSWERED, "STA-410"),
    'answered "later" (503, 504, `Retryable`)': PartnerAnswer(Outcome.ANSWERED, "STA-504", _LATER),
    "not sent (no connection, HTTP 503)": PartnerAnswer(Outcome.NOT_SENT, "CONNECT"),
    "a code has no row and its table parks": PartnerAnswer(Outcome.NOT_SENT, UNMAPPED),
    "unknown (time-out, lost or unreadable answer)": PartnerAnswer(Outcome.UNKNOWN, "TIMEOUT"),
    "the partner says the message is wrong": PartnerAnswer(Outcome.FAULT, "FAULT"),
}

CODES = {
    "DNS": ("The name of the partner's host could not be looked up in time.", "name server, `url` in partner.toml"),
    "CONNECT": ("The partner's host does not accept connections.", "is its service running? network, firewall, `url`"),
    "TLS": (
        "The encrypted connection could not be made: no TLS there, a certificate nobody trusts, for another name or "
        "out of date, or the partner does not take ours.",
        "the detail with the attempt; `gateway partner ping`; `[tls]` in partner.toml",
    ),
    "FILES": (
        "A certificate or key in the partner's folder cannot be used, so nothing was sent.",
        "the detail with the attempt names the file; `gateway check`",
    ),
    "LOGIN": ("The login that gives the token failed, so nothing was sent.", "`[auth.login]`; the partner's log"),
    "FIELD-LIMIT": (
        "A field of the message is longer than the partner takes (`[[fields]]`), so it was not sent.",
        "the detail names field, length and limit; send an address instead (`above`)",
    ),
    "TIMEOUT": ("No complete answer in time.", "how the partner is doing; `total_seconds`"),
    "CUT-OFF": ("The connection ended before the answer was complete, or what came was not HTTP.", "the partner's log"),
    "HTTP-nnn": (
        "An HTTP status without a SOAP message, or from a hook without a clear answer.",
        "the partner's web server or a proxy before it; the detail with the attempt",
    ),
    "EMPTY": ("HTTP 200 without content.", "the partner's log"),
    "NOT-XML": (
        "HTTP 200 with something else, such as a login page, or XML that cannot be read.",
        "the detail with the attempt; `url`; does a proxy want a login?",
    ),
    "NOT-JSON": ("The same, at an insurance platform.", "`url`; does a proxy want a login?"),
    "NOT-SOAP": ("XML, but no SOAP message.", "`url`, `soap_version`"),
    "OFF-CONTRACT": (
        "A SOAP message that breaks the contract, or whose mapping would.",
        "the detail with the attempt says where; the partner's program",
    ),
    "WRONG-REPLY": ("The answer to another message.", "the partner's program: it must repeat the MessageId"),
    "TOO-LARGE": ("An answer of more than 20 MB.", "the partner's program"),
    "FAULT": ("A SOAP fault without a code of the contract.", "the partner's log"),
    "ENVELOPE": (
        "A SOAP fault that says the envelope was not even opened (VersionMismatch, MustUnderstand).",
        "`soap_version`",
    ),
    "MESSAGE": (
        "The message does not fit the contract, so it was not sent.",
        "the message; report it as a fault of ours",
    ),
    "WSDL": ("The contract's own files cannot be read, so nothing was sent.", "the installation: install it again"),
    "ADDRESS": ("No request can be made with this address.", "`url` in partner.toml"),
    "STYLESHEET": (
        "partner.toml, a WSDL or a stylesheet of a partner with its own contract cannot be used, so nothing was sent.",
        "the detail with the attempt; `gateway partner check`",
    ),
    "MAPPING": ("A stylesheet cannot map this message, so it was not sent.", "the detail; the partner's stylesheet"),
    "UNMAPPED": (
        "A code of the message has no row in its code table: nothing was sent. It waits for the row, or is refused, as "
        "the table says.",
        "`gateway codes unmapped`; [code mapping](../codes.md)",
    ),
    "UNREADABLE": (
        "The string in a reply, or the reply of a hook, holds no message that can be read.",
        "the detail; the partner's program",
    ),
    "UNCLEAR": (
        "The answer holds none of the values that mean yes, no or not now, or a yes beside a no.",
        "`success` in partner.toml; the partner's program",
    ),
    "REFUSED": ("The partner said no, with a code that cannot stand in ours.", "its words, with the message"),
    "QUERY-NONE": (
        "The answer about money was lost, and this partner can neither be asked nor be sent it again.",
        "the partner's books; then `gateway money`",
    ),
    "QUERY-OTHER": (
        "The partner was asked what became of money and told of other transactions only.",
        "the partner's program: it must look for the number it is given",
    ),
    "INTERNAL": ("What follows from the answer could not be stored, or something unforeseen.", "the gateway's log"),
    "LOST": ("The process that was sending died.", "nothing: it is taken up again"),
    "ORDER": ("An earlier message of the same lock has not finished.", "that one: `gateway delivery list`"),
    "PAUSED": ("The partner did not answer five times in a row and is left alone for a moment.", "the partner"),
    "BUSY": ("As many callers as may already wait for this partner.", "how the partner is doing"),
    "NO-PARTNER": ("The partner is not in the site's folder any more.", "partners/, routes in gateway.toml"),
    "QUERY-…": (
        "The partner was asked what became of money and gave no usable answer: its code follows.",
        "as that code",
    ),
    "WITHDRAWN": ("Taken back before it left, by a cancellation.", "nothing"),
    "DISCARDED: …": ("Given up by an operator, with the reason.", "nothing"),
    "TOTAL": ("An insurance platform came to another total on trial, so nothing was settled.", "the lines uploaded"),
    **OF_DATABASES,
}
"""Code -> what happened, and where to look. The other codes are those of the contract, or the platform's own."""


def page() -> str:
    """The whole of failures.md."""
    return "\n".join(
        (
            "# Failures of partners",
            "Written by `python -m gateway.delivery.failure_document` from the tables the program decides by; a test",
            "compares them. What follows for a message is in [delivery](delivery.md).",
            "",
            "## Codes",
            "`gateway delivery list` shows the code of the last attempt. Codes such as `CHG-410` are the partner's own",
            "answer ([answers and errors](answers-and-errors.md)).",
            "",
            "| code | what happened | where to look |",
            "| --- | --- | --- |",
            *(f"| `{code}` | {happened} | {where} |" for code, (happened, where) in CODES.items()),
            "",
            "## HTTP answers without a SOAP message",
            "A SOAP answer under any of these is UNKNOWN with its code: whoever wrote it has seen the request.",
            "",
            "| HTTP status | outcome |",
            "| --- | --- |",
            *_statuses(),
            "",
            "## SOAP faults",
            "The same in both versions of SOAP and with any HTTP status but 429 and 503, by which nothing happened.",
            "",
            "| fault | without a code of the contract | with a code of the contract |",
            "| --- | --- | --- |",
            *_faults(),
            "",
            "## Errors of the libraries",
            "What an exception means before anything of the request was handed to the network, and after.",
            "",
            "| exception | before | after |",
            "| --- | --- | --- |",
            *_exceptions(),
            "",
        )
    )


def consequences() -> list[str]:
    """The table of delivery.md: what follows from an answer, by kind of message."""
    return [
        f"| outcome | {' | '.join(KINDS)} |",
        "| --- " * (len(KINDS) + 1) + "|",
        *(
            f"| {said} | {' | '.join(_consequence(case, answer) for case in KINDS.values())} |"
            for said, answer in MEANINGS.items()
        ),
    ]


def in_delivery_page(text: str) -> str:
    """delivery.md with its table as it should be."""
    table = re.compile(rf"(?<=## {SECTION}\n\n)(\|.*\n)+")
    return table.sub(lambda _: "\n".join(consequences()) + "\n", text)


def _consequence(case: Case, answer: PartnerAnswer) -> str:
    verdict = decide(case, answer)
    if answer.code == UNMAPPED and verdict.step is Step.AGAIN:
        return "waits for the row"
    if verdict.step is Step.AGAIN:
        last = decide(Case(case.operation, case.lane, 3, 3, keep=case.keep, registers=case.registers), answer)
        return _again(case, verdict) + (", until `max_attempts`" if last.state is DeliveryState.DEAD else "")
    if verdict.state is DeliveryState.DELIVERED:
        return "booked" if case.operation == "ChargeItem" else "delivered"
    if verdict.state is DeliveryState.DEAD:
        return "dead letter, alert"
    if verdict.state is DeliveryState.DISCARDED:
        return "ends here"
    return "refused, final" + (", alert" if answer.outcome is Outcome.FAULT else "")


def _again(case: Case, verdict: Verdict) -> str:
    if verdict.state is DeliveryState.QUEUED:
        return "sent again"
    asks = case.operation == "ChargeItem" or case.registers
    return "HIS is asked first, then perhaps sent again" if asks else "sent again, same MessageId"


# --- what a reply means -----------------------------------------------------------------------------------------------


def _reader() -> ReplyReader:
    contract = Contract()
    return ReplyReader(contract, Wire(contract, UTC))


def read(reader: ReplyReader, reply: Reply) -> PartnerAnswer:
    """What a reply to a charge means."""
    try:
        return reader.read("ChargeItem", "GW-1", reply)
    except UnusableReply as problem:
        return PartnerAnswer(problem.outcome, problem.code)


def _statuses() -> Iterator[str]:
    reader = _reader()
    told = [(status, read(reader, Reply(status, "text/html", b"<html></html>"))) for status in range(201, 600)]
    for (outcome, _), group in groupby(told, lambda one: (one[1].outcome, one[0] // 100)):
        statuses = [status for status, _ in group]
        span = str(statuses[0]) if len(statuses) == 1 else f"{statuses[0]} to {statuses[-1]}"
        yield f"| {span} | {outcome} |"


def _faults() -> Iterator[str]:
    reader = _reader()
    coded = {code: None for fault in MessageFault.catalogue() for code in [fault.code]}
    for names in (("Client", "Sender"), ("Server", "Receiver"), ("MustUnderstand",) * 2, ("VersionMismatch",) * 2):
        bare = _same(read(reader, reply) for reply in fault_replies(*names))
        with_code = {
            code: _same(read(reader, reply) for reply in fault_replies(*names, code)).outcome for code in coded
        }
        groups = [
            f"{outcome}: {', '.join(f'`{code}`' for code, one in with_code.items() if one is outcome)}"
            for outcome in dict.fromkeys(with_code.values())
        ]
        yield f"| {', '.join(dict.fromkeys(names))} | {bare.outcome} `{bare.code}` | {'; '.join(groups)} |"


def fault_replies(soap11: str, soap12: str, code: str = "", status: int = 500) -> Iterator[Reply]:
    """A fault in each version of SOAP."""
    detail = f'<GatewayFault xmlns="{NAMESPACE}"><Code>{code}</Code></GatewayFault>' if code else ""
    faults = {
        SOAP11: f"<faultcode>s:{soap11}</faultcode><faultstring>no</faultstring><detail>{detail}</detail>",
        SOAP12: f"<s:Code><s:Value>s:{soap12}</s:Value></s:Code><s:Detail>{detail}</s:Detail>",
    }
    for soap, content in faults.items():
        text = f'<s:Envelope xmlns:s="{soap}"><s:Body><s:Fault>{content}</s:Fault></s:Body></s:Envelope>'
        yield Reply(status, "text/xml", text.encode())


def _same(answers: Iterable[PartnerAnswer]) -> PartnerAnswer:
    first, *others = answers
    assert all((other.outcome, other.code) == (first.outcome, first.code) for other in others)
    return first


# --- what an exception means ------------------------------------------------------------------------------------------


def _exceptions() -> Iterator[str]:
    """By what they mean, in the order of the table they stand in."""
    alike: dict[str, list[str]] = {}
    for kind in FAILURES:
        before, after = (
            told_as_answer(_raised(kind), Exchange(float("inf"), 0, "CONNECT", has_left=left)) for left in (False, True)
        )
        stage = "`DNS`, `CONNECT` or `TLS`" if before.code == "CONNECT" else f"`{before.code}`"
        meaning = f"{before.outcome} {stage} | {after.outcome} `{after.code}`"
        name = f"{kind.__module__}.{kind.__name__}".removeprefix("builtins.")
        alike.setdefault(meaning, []).append(f"`{name}`")
    for meaning, names in alike.items():
        yield f"| {', '.join(names)} | {meaning} |"


def _raised(kind: type[BaseException]) -> Exception:
    problem = kind.__new__(kind)
    assert isinstance(problem, Exception)
    return problem


def main() -> None:
    (FOLDER / PAGE).write_text(page(), encoding="utf-8")
    delivery = FOLDER / TABLE_PAGE
    delivery.write_text(in_delivery_page(delivery.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
