"""What is queued: with the business it belongs to, in order, and taken back as long as nobody has seen it."""

import time
from dataclasses import replace

import pytest
from sqlalchemy import text

from gateway.config import Route
from gateway.delivery import schema
from gateway.delivery.locks import Lock
from gateway.model.delivery import Delivery
from gateway.operations.dispatch import Dispatch
from gateway.partner_config import Partner
from gateway.terms import RequisitionType
from tests.delivery.site import FAST, HOSPITAL


def fetch(site, queue: str = "HIS.normal") -> int | None:
    """Fetch a job as a worker would; its delivery."""
    with site.sessions.begin() as session:
        worker = session.execute(text("SELECT worker_id FROM procrastinate_register_worker_v1()")).scalar()
        query = text("SELECT (job.args->>'delivery_id')::bigint FROM procrastinate_fetch_job_v2(:queues, :worker) job")
        return session.execute(query, {"queues": [queue], "worker": worker}).scalar()


def test_a_message_and_what_it_belongs_to_are_stored_together_or_not_at_all(site):
    with site.sessions() as session:
        site.dispatch.enqueue(session, [site.forward(), site.forward(key="R2")])
        session.rollback()
    with site.sessions() as session:
        assert session.query(Delivery).count() == 0
        assert session.execute(text("SELECT count(*) FROM procrastinate_jobs")).scalar() == 0


def test_nothing_leaves_before_the_business_is_committed(site, his):
    with site.working(), site.sessions() as session:
        site.dispatch.enqueue(session, [site.forward()])
        session.flush()
        time.sleep(0.5)
        assert his.received == []
        session.commit()
        site.wait_until_all_is_finished()
    assert len(his.received) == 1


def test_a_queued_message_leaves_at_once_and_not_when_the_queue_is_next_looked_at(site, his):
    with site.working(timing=replace(FAST, poll=300)):
        site.put(site.forward(key="R0"))
        site.wait_until_all_is_finished()
        for number in range(1, 6):
            site.put(site.forward(key=f"R{number}"))
            site.wait_until_all_is_finished()
    assert len(his.received) == 6


def test_the_delivery_knows_where_the_message_came_from(site):
    row = site.row(site.put(site.forward("ChargeItem", "V1", 7))[0])
    assert (row.origin_sender_code, row.origin_message_id, row.txn_no) == ("PACS", "PACS-V1-7", "T-V1-7")
    assert (row.subject, row.lane, row.state, row.message_id) == ("V1", "normal", "QUEUED", f"GW-{row.id}")


def test_a_critical_message_has_a_queue_of_its_own(site):
    delivery = site.put(site.forward("PushCriticalValue", "K1", urgent=True))[0]
    assert site.job(delivery).queue_name == "HIS.critical"


@pytest.mark.parametrize("urgent", [False, True])
def test_a_queued_job_is_the_one_procrastinate_would_have_made(site, urgent):
    ours = site.put(site.forward("PushCriticalValue" if urgent else "ReportStatus", "K1", urgent=urgent))[0]
    with site.sessions.begin() as session:
        row = session.get_one(Delivery, ours)
        made = text("SELECT to_jsonb(j) - '{id,scheduled_at}'::text[] FROM procrastinate_jobs j WHERE id = :id")
        ours_job, own = row.job_id, session.execute(made, {"id": row.job_id}).scalar()
        site.dispatch._jobs.add(session, row)
        assert session.execute(made, {"id": row.job_id}).scalar() == own
        assert row.job_id != ours_job


def test_deliveries_of_one_lock_that_are_stored_together_keep_their_order(site):
    numbers = site.put(*(site.forward(key="R1", number=number) for number in range(1, 6)))
    rows = [site.row(number) for number in sorted(numbers)]
    assert [row.txn_no for row in rows] == [f"T-R1-{number}" for number in range(1, 6)]
    assert sorted(row.job_id for row in rows) == [row.job_id for row in rows]


# --- Order ------------------------------------------------------------------------------------------------------------


def test_what_is_put_back_at_the_head_of_its_lock_goes_first(site):
    first, _ = site.put(site.forward(number=1), site.forward(number=2))
    with site.sessions.begin() as session:
        row = session.get_one(Delivery, first)
        site.jobs.remove(session, row)
        site.jobs.add(session, row, first=True)
    assert fetch(site) == first
    assert fetch(site) is None


def test_messages_about_nothing_that_needs_order_do_not_wait_for_each_other(site):
    first, second = site.put(site.forward("GetMedicalRecord", ""), site.forward("GetMedicalRecord", ""))
    assert {fetch(site), fetch(site)} == {first, second}


def test_a_visit_and_a_requisition_of_the_same_number_do_not_wait_for_each_other(site):
    charge, status = site.put(site.forward("ChargeItem", "1001"), site.forward("ReportStatus", "1001"))
    assert {fetch(site), fetch(site)} == {charge, status}


@pytest.mark.parametrize("branch", ["", "01", "a|b", "100%"])
def test_a_lock_can_be_read_back(branch):
    lock = Lock("money", "HIS", HOSPITAL, branch, "V|1%7C")
    assert Lock.parse(str(lock)) == lock


def test_two_locks_are_never_written_the_same():
    assert str(Lock("money", "H", "a|", "b", "c")) != str(Lock("money", "H", "a", "|b", "c"))


# --- Taking back ------------------------------------------------------------------------------------------------------


def withdraw(site, key: str = "R1") -> bool:
    with site.sessions.begin() as session:
        return site.dispatch.withdraw(session, hospital_code=HOSPITAL, branch_code="01", partner="HIS", key=key)


def test_what_was_not_sent_is_taken_back(site):
    ids = site.put(site.forward(number=1), site.forward(number=2), site.forward(key="R2"))
    assert withdraw(site)
    assert [site.state(one) for one in ids] == ["DISCARDED", "DISCARDED", "QUEUED"]
    assert fetch(site) == ids[2]
    assert fetch(site) is None


def test_what_the_partner_could_not_be_reached_for_is_taken_back(site, his):
    his.script.append("http:503")
    delivery = site.put(site.forward())[0]
    site.sender.attempt(delivery)
    assert withdraw(site)
    assert site.state(delivery) == "DISCARDED"


@pytest.mark.parametrize("behaviour", ["ok", "close", "refuse:REQ-503:retryable", "refuse:REQ-410"])
def test_what_the_partner_may_have_seen_is_not_taken_back(site, his, behaviour):
    his.script.append(behaviour)
    first = site.put(site.forward())[0]
    site.sender.attempt(first)
    second = site.put(site.forward(number=2))[0]
    assert not withdraw(site)
    assert site.state(second) == "QUEUED"


def test_what_is_being_sent_is_not_taken_back(site):
    delivery = site.put(site.forward())[0]
    site.change(delivery, state="SENDING", attempts=1, started_at=site.now())
    assert not withdraw(site)


def test_what_was_taken_back_is_not_sent_even_if_a_worker_holds_its_job(site, his):
    delivery = site.put(site.forward())[0]
    assert fetch(site) == delivery
    assert withdraw(site)
    assert site.sender.attempt(delivery).answer is None
    assert his.received == []


def test_of_an_unknown_requisition_nothing_has_to_be_taken_back(site):
    assert withdraw(site, "never heard of")


# --- Routes and partners ----------------------------------------------------------------------------------------------

ROUTES = (
    Route(operation="SubmitRequisition", partners=("PACS",)),
    Route(operation="SubmitRequisition", hospital_code="H2", partners=("PACS2",)),
    Route(operation="SubmitRequisition", requisition_type=RequisitionType.LAB, partners=("LIS", "APP")),
    Route(operation="SubmitRequisition", perform_dept="0104", partners=("PATH",)),
    Route(operation="SubmitRequisition", hospital_code="H2", perform_dept="0104", partners=("PATH2",)),
    Route(operation="ReportStatus", hospital_code="H1", partners=("HIS",)),
)


@pytest.mark.parametrize(
    ("operation", "hospital", "kind", "dept", "partners"),
    [
        ("SubmitRequisition", "H1", RequisitionType.EXAM, "0101", ("PACS",)),
        ("SubmitRequisition", "H2", RequisitionType.EXAM, "0101", ("PACS2",)),
        ("SubmitRequisition", "H1", RequisitionType.LAB, "0201", ("LIS", "APP")),
        ("SubmitRequisition", "H2", RequisitionType.LAB, "0201", ("LIS", "APP")),
        ("SubmitRequisition", "H1", RequisitionType.LAB, "0104", ("PATH",)),
        ("SubmitRequisition", "H2", RequisitionType.EXAM, "0104", ("PATH2",)),
        ("ReportStatus", "H1", None, None, ("HIS",)),
        ("ReportStatus", "H9", None, None, ()),
        ("SubmitReport", "H1", None, None, ()),
    ],
)
def test_the_line_that_says_most_about_a_message_decides_who_gets_it(
    make_site, operation, hospital, kind, dept, partners
):
    dispatch: Dispatch = make_site(routes=ROUTES).dispatch
    found = dispatch.partners_for(operation, hospital_code=hospital, requisition_type=kind, perform_dept=dept)
    assert found == partners


def test_partner_and_client_are_found_by_each_other(make_site):
    named = Partner(name="LIS", url="http://lis/", client="LIS01", registration_charges=True)
    dispatch = make_site(named, Partner(name="HIS", url="http://his/")).dispatch
    assert (dispatch.client_of("LIS"), dispatch.client_of("HIS"), dispatch.client_of("GONE")) == (
        "LIS01",
        "HIS",
        "GONE",
    )
    assert (dispatch.partner_of("LIS01"), dispatch.partner_of("HIS"), dispatch.partner_of("LIS")) == (
        "LIS",
        "HIS",
        None,
    )
    assert dispatch.charges_on_register("LIS")
    assert not dispatch.charges_on_register("HIS")


# --- Tables -----------------------------------------------------------------------------------------------------------


def test_the_tables_of_the_queue_can_be_made_and_taken_away(engine):
    query = (
        "SELECT (SELECT count(*) FROM pg_class WHERE relnamespace = 'trial'::regnamespace)"
        " + (SELECT count(*) FROM pg_proc WHERE pronamespace = 'trial'::regnamespace)"
        " + (SELECT count(*) FROM pg_type WHERE typnamespace = 'trial'::regnamespace)"
    )
    with engine.connect() as connection:
        connection.execute(text("CREATE SCHEMA trial"))
        connection.execute(text("SET LOCAL search_path TO trial, pg_catalog"))
        schema.create(connection)
        assert connection.execute(text("SELECT to_regclass('trial.gateway_jobs_lock')")).scalar() is not None
        schema.drop(connection)
        assert connection.execute(text(query)).scalar() == 0
        connection.rollback()
