"""The states of a requisition's items: every pair of state and event is decided and documented."""

import pytest

from gateway.model.exam_state import WHO, OrderEvent, Party, Verdict, code_of, decide, overall, verdict_of
from gateway.terms import StatusCode as S
from gateway.terms import StatusEvent as E


@pytest.mark.parametrize("state", list(S))
@pytest.mark.parametrize("event", [*E, *OrderEvent])
@pytest.mark.parametrize("party", [None, *Party])
def test_every_triple_of_state_event_and_party_is_decided(state: S, event: E | OrderEvent, party: Party | None) -> None:
    decision = decide(state, event, party)
    assert decision.verdict is Verdict.APPLY or decision.target is state
    refused = decision.verdict not in (Verdict.APPLY, Verdict.STALE)
    assert bool(code_of(event, decision.verdict)) is refused
    assert (decision.verdict is Verdict.FOREIGN) is (party is not None and party not in WHO[event])


def test_one_registered_item_locks_the_whole_requisition() -> None:
    assert verdict_of([S.RELEASED, S.IN_PROGRESS], OrderEvent.CANCEL) is Verdict.LOCKED
    assert verdict_of([S.RELEASED, S.CANCELLED], OrderEvent.CANCEL) is Verdict.APPLY
    assert verdict_of([S.CANCELLED, S.REJECTED], OrderEvent.UPDATE) is Verdict.FINAL


def test_what_the_department_gives_back_asks_for_no_state() -> None:
    decisions = [decide(state, OrderEvent.REFUND, Party.DEPARTMENT) for state in S]
    assert [(d.verdict, d.target) for d in decisions] == [(Verdict.APPLY, state) for state in S]


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
    assert decide(decision.target, OrderEvent.REFUND).verdict is not Verdict.LOCKED


def test_a_second_registration_changes_nothing() -> None:
    assert decide(S.IN_PROGRESS, E.REGISTER).verdict is Verdict.STALE


def test_a_requisition_stands_where_its_slowest_living_item_stands() -> None:
    assert overall([S.REPORTED, S.RELEASED, S.CANCELLED]) is S.RELEASED
    assert overall([S.CANCELLED, S.STOPPED]) is S.STOPPED
    assert overall([S.REJECTED, S.REJECTED]) is S.REJECTED
