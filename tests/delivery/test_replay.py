"""Sent again because a partner has lost it: chosen, approved by a second person, in order, and nothing booked twice."""

import dataclasses
import threading
from contextlib import suppress
from datetime import timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from gateway.delivery import redrive, replay
from gateway.delivery.policy import ATTEMPTS_OF_REPLAY, LONGEST_QUESTION_OF_REPLAY
from gateway.delivery.replay import MOST, Progress, ReplayRefused
from gateway.delivery.selection import Selection
from gateway.model.delivery import Delivery
from gateway.model.journal import Alert
from gateway.model.replay import ReplayBatch, ReplayMember, ReplayState
from gateway.terms import StatusEvent

ANN, BEA = "terminal:ann", "terminal:bea"


@pytest.fixture(autouse=True)
def _no_replays(engine):
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM replay_member"))
        connection.execute(text("DELETE FROM replay_batch"))


def delivered(site, *forwards) -> list[int]:
    """Messages the partner has taken."""
    numbers = site.put(*forwards)
    with site.working():
        site.wait_until_all_is_finished()
    return numbers


def plan(site, *numbers: int, with_superseded: bool = False, limit: int = MOST, **wanted) -> replay.Plan:
    partners = {partner.name: partner for partner in site.settings.partners}
    with site.sessions() as session:
        selection = Selection(ids=numbers, **wanted)
        return replay.plan(session, selection, partners, limit, with_superseded=with_superseded)


def propose(site, *numbers: int, with_superseded: bool = False, **wanted) -> int:
    """A replay as ANN proposes it."""
    found = plan(site, *numbers, with_superseded=with_superseded, **wanted)
    with site.sessions.begin() as session:
        batch = replay.propose(
            session,
            found,
            by=ANN,
            reason="backup restored",
            selection="x",
            with_superseded=with_superseded,
            per_second=10,
            now=site.now(),
        )
        return batch.id


def approve(site, batch: int, by: str = BEA, later: timedelta = timedelta()) -> None:
    with site.sessions.begin() as session:
        replay.approve(session, batch, by=by, now=site.now() + later)


def hand_over(site, batch: int, many: int = 100) -> Progress:
    with site.sessions.begin() as session:
        return replay.hand_over(session, batch, many, site.now())


def replayed(site, batch: int) -> list[int]:
    """The deliveries of a replay."""
    with site.sessions() as session:
        return list(session.scalars(select(Delivery.id).where(Delivery.replay_batch == batch).order_by(Delivery.id)))


def run(site, batch: int) -> list[int]:
    """Hand all of it over and wait until it is answered."""
    hand_over(site, batch)
    with site.working():
        site.wait_until_all_is_finished()
    return replayed(site, batch)


def alerts(site) -> list[tuple[str, str]]:
    with site.sessions() as session:
        return [(alert.kind, alert.subject) for alert in session.scalars(select(Alert).order_by(Alert.id))]


def statuses(site, key: str, *numbers: int):
    return [site.forward("ReportStatus", key, number) for number in numbers]


# --- What is sent again -----------------------------------------------------------------------------------------------


def test_what_was_delivered_is_sent_again_under_a_number_of_its_own(site, his):
    (original,) = delivered(site, *statuses(site, "K1", 1))
    (again,) = run(site, propose(site, original))
    first, second = his.received
    assert (second.message_id, first.message_id) == (f"GW-{again}", f"GW-{original}")
    assert second.request.header.origin_message_id == first.request.header.origin_message_id
    assert second.request.status_seq == first.request.status_seq
    assert (site.row(again).replay_of, site.state(again)) == (original, "DELIVERED")


def test_a_replay_of_a_replay_belongs_to_the_first_one(site, his):
    (original,) = delivered(site, *statuses(site, "K1", 1))
    (again,) = run(site, propose(site, original))
    (third,) = run(site, propose(site, again))
    assert site.row(third).replay_of == original


def test_a_time_is_replayed_in_the_order_it_had(site, his):
    delivered(site, *statuses(site, "K1", 1, 2), *statuses(site, "K2", 1))
    run(site, propose(site, partner="HIS"))
    assert [r.request.status_seq for r in his.received[3:] if r.request.requisition_no == "K1"] == [1, 2]
    assert len(his.received) == 6


def test_a_replay_goes_behind_what_waits_about_the_same_thing(site, his):
    (original,) = delivered(site, *statuses(site, "K1", 1))
    batch = propose(site, original, with_superseded=True)
    site.put(*statuses(site, "K1", 2))
    run(site, batch)
    assert [r.request.status_seq for r in his.received] == [1, 2, 1]


def test_a_critical_value_is_replayed_without_taking_the_urgent_way(site, his):
    (original,) = delivered(site, site.forward("PushCriticalValue", "CV1", urgent=True))
    batch = propose(site, original)
    approve(site, batch)
    hooked = len(site.hooked)
    (again,) = run(site, batch)
    assert (site.row(original).lane, site.row(again).lane) == ("critical", "normal")
    assert len(site.hooked) == hooked


@pytest.mark.parametrize("state", ["QUEUED", "SENDING", "UNKNOWN", "DEAD", "REFUSED", "DISCARDED"])
def test_only_what_was_delivered_is_replayed(site, state):
    number = site.put(*statuses(site, "K1", 1))[0]
    site.change(number, state=state)
    with pytest.raises(ReplayRefused, match=f"is {state}"):
        plan(site, number)
    with pytest.raises(ReplayRefused, match="Nothing that was delivered"):
        plan(site, partner="HIS")


@pytest.mark.parametrize("operation", ["InsuranceUpload", "InsuranceSettle", "GetMedicalRecord"])
def test_what_cannot_be_asked_for_by_number_is_not_replayed(site, operation):
    number = site.put(*statuses(site, "K1", 1))[0]
    site.change(number, state="DELIVERED", operation=operation)
    with pytest.raises(ReplayRefused, match="not replayed"):
        plan(site, number)


def test_an_unknown_number_is_refused_and_so_is_a_partner_that_is_gone(site, his):
    with pytest.raises(ReplayRefused, match="no delivery"):
        plan(site, 10**12)
    (number,) = delivered(site, *statuses(site, "K1", 1))
    site.change(number, partner="OLD")
    with pytest.raises(ReplayRefused, match="OLD is no partner"):
        plan(site, number)


def test_more_than_the_limit_is_refused_and_not_cut_off(site, his):
    delivered(site, *statuses(site, "K1", 1, 2, 3))
    with pytest.raises(ReplayRefused, match="More than 2 fit"):
        plan(site, partner="HIS", limit=2)
    with pytest.raises(ReplayRefused, match="3 are named, more than 2"):
        plan(site, 1, 2, 3, limit=2)


# --- What later messages have overtaken -------------------------------------------------------------------------------


def test_an_old_status_is_left_out_when_a_newer_one_was_delivered(site, his):
    old, new = delivered(site, *statuses(site, "K1", 1, 2))
    with pytest.raises(ReplayRefused, match="overtaken"):
        propose(site, old)
    assert plan(site, old, new).originals == (old, new)
    assert plan(site, old, with_superseded=True).originals == (old,)


def test_what_waits_to_be_sent_overtakes_too_but_not_what_failed(site, his):
    (old,) = delivered(site, *statuses(site, "K1", 1))
    later = site.put(*statuses(site, "K1", 2))[0]
    assert plan(site, old).superseded == 1
    site.change(later, state="DISCARDED")
    assert plan(site, old).superseded == 0


def test_a_message_that_comes_after_the_proposal_overtakes_it(site, his):
    (old,) = delivered(site, *statuses(site, "K1", 1))
    batch = propose(site, old)
    delivered(site, *statuses(site, "K1", 2))
    assert hand_over(site, batch) == Progress(ReplayState.DONE, 0, 1, 1)
    assert replayed(site, batch) == []


def test_a_charge_is_overtaken_by_its_refund_and_not_by_other_charges(site, his):
    one, two = delivered(site, site.forward("ChargeItem", "V1", 1), site.forward("ChargeItem", "V1", 2))
    refund = site.forward("RefundItem", "V1", 1)
    request = dataclasses.replace(refund.request, original_charge_no="C-V1-1")
    (back,) = delivered(site, dataclasses.replace(refund, request=request))
    assert plan(site, one).superseded == 1
    assert plan(site, two).superseded == plan(site, one, back).superseded == plan(site, back).superseded == 0


def test_a_report_is_overtaken_by_its_next_version_alone(site, his):
    first = site.forward("SubmitReport", "R1")
    other = dataclasses.replace(first, request=dataclasses.replace(first.request, report_no="OTHER"))
    one, two = delivered(site, first, other)
    assert plan(site, one).superseded == 0
    delivered(site, first)
    assert (plan(site, one).superseded, plan(site, two).superseded) == (1, 0)


# --- Two persons ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "needs"),
    [
        ("ReportStatus", False),
        ("ChargeItem", True),
        ("RefundItem", True),
        ("SubmitRequisition", True),
        ("SubmitReport", True),
        ("PushCriticalValue", True),
    ],
)
def test_money_and_clinical_content_need_a_second_person(site, his, operation, needs):
    (number,) = delivered(site, site.forward(operation, "K1"))
    assert plan(site, number).needs_approval is needs


def test_a_status_that_makes_his_charge_needs_a_second_person(make_site, his):
    site = make_site(his.partner("HIS", registration_charges=True))
    (number,) = delivered(site, *statuses(site, "K1", 1))
    assert plan(site, number).needs_approval


def test_nothing_begins_before_it_is_approved(site, his):
    (number,) = delivered(site, site.forward("SubmitReport", "R1"))
    batch = propose(site, number)
    with pytest.raises(ReplayRefused, match="is PROPOSED"):
        hand_over(site, batch)
    approve(site, batch)
    assert [site.state(n) for n in run(site, batch)] == ["DELIVERED"]


def test_nobody_approves_his_own(site, his):
    (number,) = delivered(site, site.forward("SubmitReport", "R1"))
    batch = propose(site, number)
    with pytest.raises(ReplayRefused, match="another person"):
        approve(site, batch, by=ANN)
    approve(site, batch, by=BEA)
    with pytest.raises(ReplayRefused, match="only a proposed one"):
        approve(site, batch, by=BEA)


def test_the_database_itself_refuses_one_person_in_both_places(site, his):
    (number,) = delivered(site, site.forward("SubmitReport", "R1"))
    propose(site, number)
    with pytest.raises(IntegrityError, match="two_persons"):
        site.run_sql("UPDATE replay_batch SET state = 'APPROVED', approved_by = proposed_by")
    with pytest.raises(IntegrityError, match="approved_first"):
        site.run_sql("UPDATE replay_batch SET state = 'RUNNING'")


def test_an_old_proposal_is_not_approved(site, his):
    (number,) = delivered(site, site.forward("SubmitReport", "R1"))
    batch = propose(site, number)
    with pytest.raises(ReplayRefused, match="older than 7 days"):
        approve(site, batch, later=timedelta(days=8))


# --- Money ------------------------------------------------------------------------------------------------------------


def money(site, his) -> int:
    """An approved replay of a charge."""
    (number,) = delivered(site, site.forward("ChargeItem", "V1"))
    batch = propose(site, number)
    approve(site, batch)
    site.hooked.clear()
    return batch


def test_a_charge_his_still_has_is_asked_for_and_not_sent(site, his):
    (again,) = run(site, money(site, his))
    assert [r.operation for r in his.received] == ["ChargeItem", "QueryTransaction"]
    assert (site.state(again), site.row(again).attempts, site.hooked, alerts(site)) == ("DELIVERED", 0, [], [])


def test_a_charge_his_has_lost_is_sent_again_and_moves_no_ledger(site, his):
    batch = money(site, his)
    his.booked.clear()
    (again,) = run(site, batch)
    assert [r.operation for r in his.received] == ["ChargeItem", "QueryTransaction", "ChargeItem"]
    assert len({r.request.charge_no for r in his.sent("ChargeItem")}) == 1
    assert (site.state(again), site.hooked) == ("DELIVERED", [])


def test_a_charge_his_does_not_answer_for_is_not_sent(site, his):
    batch = money(site, his)
    his.behave = lambda request: "http:500"
    hand_over(site, batch)
    (again,) = replayed(site, batch)
    with site.working():
        site.wait(lambda: len(site.codes(again)) >= 2)
        assert site.state(again) == "UNKNOWN"
        site.change(again, started_at=site.now() - timedelta(seconds=LONGEST_QUESTION_OF_REPLAY + 1))
        site.wait_for(again, "DEAD")
    assert len(his.sent("ChargeItem")) == 1
    assert [kind for kind, _ in alerts(site)] == ["REPLAY_FAILED"]


def test_a_charge_that_is_refused_now_raises_an_alert(site, his):
    batch = money(site, his)
    his.booked.clear()
    his.behave = lambda request: "ok" if request.operation == "QueryTransaction" else "refuse:CHG-409"
    (again,) = run(site, batch)
    assert (site.state(again), site.hooked) == ("REFUSED", [])
    ((kind, subject),) = alerts(site)
    assert (kind, subject.endswith(": CHG-409"), "GW-" in subject) == ("REPLAY_FAILED", True, True)


def test_another_answer_than_before_raises_an_alert(site, his):
    batch = money(site, his)
    site.run_sql("UPDATE delivery SET answer = replace(answer, '>H1<', '>H9<')")
    run(site, batch)
    ((kind, subject),) = alerts(site)
    assert (kind, subject.endswith("differs in his_charge_no")) == ("REPLAY_DIFFERS", True)


def test_a_replay_of_money_that_failed_is_asked_for_again_and_never_just_sent(site, his):
    batch = money(site, his)
    hand_over(site, batch)
    (again,) = replayed(site, batch)
    site.change(again, state="DEAD")
    with site.sessions.begin() as session:
        with pytest.raises(redrive.RedriveRefused, match="always asked first"):
            redrive.retry(session, site.jobs, again, site.now(), ask_first=False)
        redrive.retry(session, site.jobs, again, site.now())
    with site.working():
        site.wait_for(again, "DELIVERED")
    assert [r.operation for r in his.received] == ["ChargeItem", "QueryTransaction"]


def test_a_registration_by_which_his_charges_is_asked_for_by_its_first_number(make_site, his):
    site = make_site(his.partner("HIS", registration_charges=True))
    register = site.forward("ReportStatus", "K1")
    request = dataclasses.replace(register.request, event=StatusEvent.REGISTER)
    (original,) = delivered(site, dataclasses.replace(register, request=request))
    batch = propose(site, original)
    approve(site, batch)
    his.seen.clear()
    (again,) = run(site, batch)
    first, asked, sent = his.received
    assert asked.request.queried_message_id == sent.message_id == first.message_id == f"GW-{original}"
    assert (site.state(again), site.row(again).attempts) == ("DELIVERED", 1)


# --- What fails holds nobody back -------------------------------------------------------------------------------------


def test_a_replay_the_partner_refuses_lets_the_later_ones_go(site, his):
    batch = propose(site, *delivered(site, *statuses(site, "K1", 1)))
    his.script.append("refuse:STA-409")
    hand_over(site, batch)
    later = site.put(*statuses(site, "K1", 2))[0]
    with site.working():
        site.wait_for(later, "DELIVERED")
    assert [site.state(n) for n in replayed(site, batch)] == ["REFUSED"]


def test_a_replay_that_does_not_get_through_is_given_up_early(site, his):
    batch = propose(site, *delivered(site, *statuses(site, "K1", 1)))
    his.script.extend(["http:500"] * ATTEMPTS_OF_REPLAY)
    hand_over(site, batch)
    (again,) = replayed(site, batch)
    with site.working():
        site.wait_for(again, "DEAD")
        later = site.put(*statuses(site, "K1", 2))[0]
        site.wait_for(later, "DELIVERED")
    assert site.row(again).attempts == ATTEMPTS_OF_REPLAY


def test_many_that_fail_are_one_alert(site, his):
    batch = propose(site, *delivered(site, *statuses(site, "K1", 1), *statuses(site, "K2", 1)))
    his.behave = lambda request: "refuse:STA-409"
    run(site, batch)
    assert alerts(site) == [("REPLAY_FAILED", f"replay {batch} to HIS")]


# --- Handing over -----------------------------------------------------------------------------------------------------


def test_a_replay_is_handed_over_bit_by_bit(site, his):
    batch = propose(site, *delivered(site, *statuses(site, "K1", 1, 2, 3)))
    assert hand_over(site, batch, 2) == Progress(ReplayState.RUNNING, 2, 0, 3)
    assert hand_over(site, batch, 2) == Progress(ReplayState.DONE, 3, 0, 3)
    with pytest.raises(ReplayRefused, match="is DONE"):
        hand_over(site, batch)


def test_two_that_go_on_with_one_replay_send_nothing_twice(site, his):
    numbers = delivered(site, *(one for key in range(20) for one in statuses(site, f"K{key}", 1)))
    batch = propose(site, *numbers)

    def go_on() -> None:
        with suppress(ReplayRefused):  # the other has finished it
            while hand_over(site, batch, 2).state is not ReplayState.DONE:
                pass

    threads = [threading.Thread(target=go_on) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [site.row(n).replay_of for n in replayed(site, batch)] == numbers


def test_a_partner_never_has_more_than_a_few_of_a_replay_before_it(site, his, monkeypatch):
    monkeypatch.setattr(replay, "UNDER_WAY", 2)
    batch = propose(site, *delivered(site, *statuses(site, "K1", 1, 2, 3)))
    hand_over(site, batch, 2)
    assert hand_over(site, batch, 2) == Progress(ReplayState.RUNNING, 2, 0, 3, ("HIS",))
    with site.working():
        site.wait_until_all_is_finished()
    assert hand_over(site, batch, 2).state is ReplayState.DONE


def test_the_members_are_those_of_the_proposal(site, his):
    batch = propose(site, *delivered(site, *statuses(site, "K1", 1)))
    delivered(site, *statuses(site, "K2", 1))
    assert hand_over(site, batch).size == 1


def test_what_is_gone_with_its_month_is_left_out(site, his):
    (number,) = delivered(site, *statuses(site, "K1", 1))
    batch = propose(site, number)
    site.run_sql("DELETE FROM delivery_attempt")
    site.run_sql("DELETE FROM delivery")
    assert hand_over(site, batch) == Progress(ReplayState.DONE, 0, 1, 1)
    with site.sessions() as session:
        assert session.scalars(select(ReplayMember.left_out)).all() == ["GONE"]


def test_a_cancelled_replay_takes_back_what_was_not_sent(site, his):
    batch = propose(site, *delivered(site, *statuses(site, "K1", 1, 2, 3)))
    hand_over(site, batch, 2)
    with site.sessions.begin() as session:
        assert replay.cancel(session, site.jobs, batch, now=site.now()) == 2
    assert [site.state(n) for n in replayed(site, batch)] == ["DISCARDED"] * 2
    with pytest.raises(ReplayRefused, match="is CANCELLED"):
        hand_over(site, batch)
    with site.sessions.begin() as session, pytest.raises(ReplayRefused, match="is CANCELLED"):
        replay.cancel(session, site.jobs, batch, now=site.now())


def test_a_replay_nobody_proposed_is_refused(site):
    for act in (lambda: hand_over(site, 10**9), lambda: approve(site, 10**9)):
        with pytest.raises(ReplayRefused, match="no replay"):
            act()


def test_a_replay_keeps_who_wanted_it_and_why(site, his):
    batch = propose(site, *delivered(site, site.forward("SubmitReport", "R1")))
    approve(site, batch)
    with site.sessions() as session:
        row = session.get_one(ReplayBatch, batch)
    assert (row.proposed_by, row.approved_by, row.reason) == (ANN, BEA, "backup restored")
