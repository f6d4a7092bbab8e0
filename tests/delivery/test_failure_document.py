"""Everything that can come of an attempt is decided, and written down as it is decided."""

import re
from pathlib import Path

import pytest

from gateway.delivery import failure_document as document
from gateway.delivery.policy import Case, Step, decide
from gateway.errors import MessageFault, RequestRefused
from gateway.model.delivery import DeliveryState, Lane
from gateway.operations.dispatch import Outcome, PartnerAnswer
from gateway.partners.client import Reply

ROOT = Path(__file__).resolve().parent.parent.parent
WRITE = "write it again: python -m gateway.delivery.failure_document"
PRODUCED = re.compile(
    r"(?:Failure\(Outcome\.\w+, |PartnerAnswer\(Outcome\.\w+, (?:code or |refusal or )?|UnusableReply\("
    r"|_nothing_useful\(reply, |PlatformRefused\("
    r"|last_code, row\.finished_at = DeliveryState\.\w+, |code = |stage(?:: str)? = |return )"
    r'f?"([A-Z][A-Z-]+)["{]'
)
REFUSALS = list(RequestRefused.catalogue())
MONEY, REGISTRATION, OTHER, CRITICAL, QUESTION = document.KINDS.values()


def test_the_documentation_of_failures_is_what_the_program_decides_by():
    assert document.FOLDER == ROOT / "docs" / "specification"
    assert (document.FOLDER / document.PAGE).read_text(encoding="utf-8") == document.page(), WRITE


def test_the_table_of_what_follows_is_what_the_program_decides():
    text = (document.FOLDER / document.TABLE_PAGE).read_text(encoding="utf-8")
    assert "\n".join(document.consequences()) in text, WRITE
    assert document.in_delivery_page(text) == text


def test_every_code_an_attempt_can_end_with_is_explained():
    texts = [
        path.read_text(encoding="utf-8")
        for part in ("partners", "delivery")
        for path in (ROOT / "gateway" / part).rglob("*.py")
    ]
    made = {code.rstrip("-") for text in texts for code in PRODUCED.findall(text)}
    explained = {code.split("-nnn")[0].split("-…")[0].split(":")[0] for code in document.CODES}
    assert {"CUT-OFF", "NOT-SOAP", "QUERY", "PAUSED", "DNS", "TLS", "ENVELOPE", "ORDER"} <= made
    assert made <= explained


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.code)
@pytest.mark.parametrize("kind", document.KINDS)
def test_every_refusal_of_the_contract_has_its_consequence(refusal, kind):
    case = document.KINDS[kind]
    verdict = decide(case, PartnerAnswer(Outcome.ANSWERED, refusal.code))
    if not case.keep:
        later, never = DeliveryState.DISCARDED, DeliveryState.REFUSED
    else:
        later = DeliveryState.UNKNOWN if case in (MONEY, REGISTRATION) else DeliveryState.QUEUED
        never = DeliveryState.REFUSED if case is MONEY else DeliveryState.DEAD
    assert verdict.state is (later if refusal.code.endswith(("-503", "-504")) else never)


@pytest.mark.parametrize("fault", list(MessageFault.catalogue()), ids=lambda fault: fault.code)
@pytest.mark.parametrize("status", [200, 400, 401, 413, 500])
def test_every_fault_of_the_contract_is_decided_the_same_in_both_versions_of_soap(fault, status):
    reader = document._reader()
    blamed = ("Client", "Sender") if fault.sender else ("Server", "Receiver")
    expected = {
        "SYS-400": Outcome.FAULT,
        "SYS-413": Outcome.FAULT,
        "SYS-422": Outcome.FAULT,
        "SYS-500": Outcome.UNKNOWN,
        "AUT-401": Outcome.NOT_SENT,
        "AUT-403": Outcome.NOT_SENT,
        "SYS-429": Outcome.NOT_SENT,
        "SYS-503": Outcome.NOT_SENT,
    }
    for reply in document.fault_replies(*blamed, fault.code, status):
        answer = document.read(reader, reply)
        assert (answer.outcome, answer.code) == (expected[fault.code], fault.code)


@pytest.mark.parametrize("status", range(100, 600))
def test_every_http_status_without_a_soap_message_is_decided(status):
    answer = document.read(document._reader(), Reply(status, "text/html", b"<p>error</p>"))
    certainly_nothing = (401, 404, 405, 429, 503)
    expected = Outcome.NOT_SENT if status in certainly_nothing else Outcome.FAULT if status == 413 else Outcome.UNKNOWN
    assert answer.outcome is expected
    assert answer.code == ("NOT-SOAP" if status == 200 else f"HTTP-{status}")


@pytest.mark.parametrize("kind", document.KINDS)
@pytest.mark.parametrize("outcome", [Outcome.NOT_SENT, Outcome.UNKNOWN])
def test_what_may_have_booked_is_asked_for_without_end_and_all_else_only_so_often(kind, outcome):
    case = document.KINDS[kind]
    last = Case(
        case.operation, case.lane, case.max_attempts, case.max_attempts, registers=case.registers, keep=case.keep
    )
    verdict = decide(last, PartnerAnswer(outcome, "X"))
    endless = case.lane is Lane.CRITICAL or (outcome is Outcome.UNKNOWN and case in (MONEY, REGISTRATION))
    assert (verdict.step is Step.AGAIN) == endless
