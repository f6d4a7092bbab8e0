"""What an operator does about what is stuck."""

import pytest
from sqlalchemy import select

from gateway.delivery import redrive
from gateway.delivery.redrive import RedriveRefused
from gateway.delivery.selection import Selection, find
from gateway.model.delivery import Delivery, DeliveryState


def stuck(site, his, operation: str = "ReportStatus", behaviour: str = "refuse:STA-410", number: int = 1) -> int:
    """A delivery in the state that follows from what the partner does."""
    his.script.append(behaviour)
    delivery = site.put(site.forward(operation, "K1", number))[0]
    with site.working():
        site.wait(lambda: site.row(delivery).attempts == 1 and site.state(delivery) != "SENDING")
        if site.state(delivery) == "DEAD":
            site.wait(lambda: site.job(delivery).queue_name == "dead.HIS")
    return delivery


def retry(site, delivery: int, **how) -> None:
    with site.sessions.begin() as session:
        redrive.retry(session, site.jobs, delivery, site.now(), **how)


def discard(site, delivery: int) -> None:
    with site.sessions.begin() as session:
        redrive.discard(session, site.jobs, delivery, "double entry", site.now())


def test_a_dead_letter_keeps_its_place_until_somebody_decides(site, his):
    delivery = stuck(site, his)
    later = site.put(site.forward("ReportStatus", "K1", 2))[0]
    other = site.put(site.forward("ReportStatus", "K2"))[0]
    with site.working():
        site.wait_for(other, "DELIVERED")
    assert (site.state(delivery), site.state(later)) == ("DEAD", "QUEUED")


def test_a_dead_letter_that_is_tried_again_goes_before_the_later_ones(site, his):
    delivery = stuck(site, his)
    later = site.put(site.forward("ReportStatus", "K1", 2))[0]
    retry(site, delivery)
    with site.working():
        site.wait_for(later, "DELIVERED")
    assert [r.request.status_seq for r in his.received] == [1, 1, 2]
    assert len({r.message_id for r in his.received[:2]}) == 1


def test_one_that_dies_again_still_keeps_its_place(site, his):
    delivery = stuck(site, his)
    later = site.put(site.forward("ReportStatus", "K1", 2))[0]
    his.script.append("refuse:STA-410")
    retry(site, delivery)
    with site.working():
        site.wait(lambda: len(his.received) == 2 and site.state(delivery) == "DEAD")
        site.wait(lambda: site.job(delivery).queue_name == "dead.HIS")
    assert site.state(later) == "QUEUED"
    retry(site, delivery)
    with site.working():
        site.wait_until_all_is_finished()
    assert [r.request.status_seq for r in his.received] == [1, 1, 1, 2]


def test_what_is_given_up_lets_the_later_ones_go_on(site, his):
    delivery = stuck(site, his)
    later = site.put(site.forward("ReportStatus", "K1", 2))[0]
    discard(site, delivery)
    with site.working():
        site.wait_for(later, "DELIVERED")
    row = site.row(delivery)
    assert (row.state, row.last_code) == ("DISCARDED", "DISCARDED: double entry")


def test_lost_money_is_asked_for_before_it_is_sent_again(site, his):
    delivery = stuck(site, his, "ChargeItem", "lost")
    retry(site, delivery)
    with site.working():
        site.wait_for(delivery, "DELIVERED")
    assert len(his.sent("ChargeItem")) == 1


def test_an_operator_may_send_lost_money_again_to_a_partner_that_cannot_be_asked(site, his):
    his.behave = lambda request: "fault:Client" if request.operation == "QueryTransaction" else "ok"
    delivery = stuck(site, his, "ChargeItem", "lost")
    retry(site, delivery, ask_first=False)
    with site.working():
        site.wait_for(delivery, "DELIVERED")
    assert len({r.message_id for r in his.sent("ChargeItem")}) == 1


def test_nothing_overtakes_what_is_ahead_of_it_not_even_by_an_operator(site, his):
    stuck(site, his)
    later = site.put(site.forward("ReportStatus", "K1", 2))[0]
    with pytest.raises(RedriveRefused):
        retry(site, later)


@pytest.mark.parametrize("state", ["DELIVERED", "REFUSED", "DISCARDED", "SENDING"])
def test_what_is_finished_or_being_sent_is_not_decided_again(site, state):
    delivery = site.put(site.forward())[0]
    site.change(delivery, state=state)
    with pytest.raises(RedriveRefused):
        retry(site, delivery)
    with pytest.raises(RedriveRefused):
        discard(site, delivery)


def test_what_a_worker_has_in_its_hands_is_not_decided(site):
    delivery = site.put(site.forward())[0]
    site.run_sql("UPDATE procrastinate_jobs SET status = 'doing'")
    with pytest.raises(RedriveRefused):
        discard(site, delivery)


def test_an_unknown_number_is_refused(site):
    with pytest.raises(RedriveRefused):
        retry(site, 10**12)


def test_what_is_stuck_is_found_by_state_and_partner(site, his):
    delivery = stuck(site, his)
    site.put(site.forward(key="K2"))
    dead = (DeliveryState.DEAD,)
    with site.sessions() as session:
        assert [row.id for row in find(session, Selection(states=dead, partner="HIS"), 10)] == [delivery]
        assert find(session, Selection(states=dead, partner="LIS"), 10) == []
        assert len(find(session, Selection(code="STA-410"), 10)) == 1
        assert len(find(session, Selection(), 10)) == session.query(Delivery).count() == 2


# --- Released ---------------------------------------------------------------------------------------------------------


def release(site, delivery: int) -> int:
    with site.sessions.begin() as session:
        return redrive.release(session, site.jobs, delivery, site.now())


def test_a_released_dead_letter_lets_the_later_ones_go_and_stays_dead(site, his):
    delivery = stuck(site, his)
    later = site.put(site.forward("ReportStatus", "K1", 2), site.forward("ReportStatus", "K1", 3))
    assert release(site, delivery) == 2
    with site.working():
        site.wait_for(later[1], "DELIVERED")
    assert (site.state(delivery), site.job(delivery)) == ("DEAD", None)


def test_a_question_at_once_is_not_held_back_by_what_was_released(site, his):
    release(site, stuck(site, his))
    assert site.ask(site.forward("ReportStatus", "K1", 2)).is_yes


def test_what_was_released_is_tried_again_after_those_that_wait(site, his):
    delivery = stuck(site, his)
    site.put(site.forward("ReportStatus", "K1", 2))
    release(site, delivery)
    retry(site, delivery)
    with site.working():
        site.wait_until_all_is_finished()
    assert [r.request.status_seq for r in his.received] == [1, 2, 1]


def test_what_was_released_and_dies_again_holds_nobody(site, his):
    delivery = stuck(site, his)
    release(site, delivery)
    his.script.append("refuse:STA-410")
    retry(site, delivery)
    later = site.put(site.forward("ReportStatus", "K1", 2))[0]
    with site.working():
        site.wait_for(later, "DELIVERED")
    assert site.state(delivery) == "DEAD"


@pytest.mark.parametrize("state", ["QUEUED", "UNKNOWN", "DELIVERED", "SENDING"])
def test_only_a_dead_letter_is_released(site, state):
    delivery = site.put(site.forward())[0]
    site.change(delivery, state=state)
    with pytest.raises(RedriveRefused):
        release(site, delivery)


def test_money_that_is_dead_holds_nobody_and_is_not_released(site):
    delivery = site.put(site.forward("ChargeItem", "V1"))[0]
    site.change(delivery, state="DEAD")
    with pytest.raises(RedriveRefused, match="holds nobody back"):
        release(site, delivery)


def test_a_dead_letter_is_released_once(site, his):
    delivery = stuck(site, his)
    release(site, delivery)
    with pytest.raises(RedriveRefused, match="nothing to release"):
        release(site, delivery)


def test_of_many_only_the_first_of_each_order_has_to_be_decided(site, his):
    first = stuck(site, his)
    behind = site.put(site.forward("ReportStatus", "K1", 2), site.forward("ReportStatus", "K2"))
    money = site.put(site.forward("ChargeItem", "V1", 1), site.forward("ChargeItem", "V1", 2))
    site.change(money[0], state="DEAD")
    with site.sessions() as session:
        query = select(Delivery.id).where(redrive.goes_first()).order_by(Delivery.id)
        assert list(session.scalars(query)) == [first, behind[1], *money]
