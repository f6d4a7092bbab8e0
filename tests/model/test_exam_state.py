"""The states of a requisition's items: every pair of state and event is decided and documented."""

from pathlib import Path

import pytest

from gateway.model.exam_state import REFUND_CLOSED, Verdict, decide, overall
from gateway.model.exam_state_table import table
from gateway.terms import StatusCode as S
from gateway.terms import StatusEvent as E

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("state", list(S))
@pytest.mark.parametrize("event", list(E))
def test_every_pair_of_state_and_event_is_decided(state: S, event: E) -> None:
    decision = decide(state, event)
    assert decision.verdict in Verdict
    assert decision.verdict is Verdict.APPLY or decision.target is state


def test_the_documentation_shows_the_table_of_the_code() -> None:
    assert table() in (ROOT / "docs/specification/requisition.md").read_text(encoding="utf-8")


def test_registration_is_implied_by_an_exam_that_is_done() -> None:
    decision = decide(S.RELEASED, E.EXAM_DONE)
    assert (decision.verdict, decision.target, decision.implied) == (Verdict.APPLY, S.EXAMINED, (S.IN_PROGRESS,))


def test_a_report_implies_registration_and_examination() -> None:
    assert decide(S.BOOKED, E.FINAL).implied == (S.IN_PROGRESS, S.EXAMINED)


def test_an_unpaid_requisition_cannot_be_registered() -> None:
    assert decide(S.HELD, E.REGISTER).verdict is Verdict.NOT_PAID


def test_a_cancelled_requisition_takes_no_event() -> None:
    assert {decide(S.CANCELLED, event).verdict for event in E} == {Verdict.FINAL}


def test_withdrawing_the_registration_opens_the_refund_again() -> None:
    decision = decide(S.IN_PROGRESS, E.CANCEL_REG)
    assert decision.target is S.RELEASED
    assert decision.target not in REFUND_CLOSED


def test_a_second_registration_changes_nothing() -> None:
    assert decide(S.IN_PROGRESS, E.REGISTER).verdict is Verdict.STALE


def test_a_requisition_stands_where_its_slowest_living_item_stands() -> None:
    assert overall([S.REPORTED, S.RELEASED, S.CANCELLED]) is S.RELEASED
    assert overall([S.CANCELLED, S.STOPPED]) is S.STOPPED
    assert overall([S.REJECTED, S.REJECTED]) is S.REJECTED
