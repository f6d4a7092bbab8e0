"""A message whose code has no row waits for it: in its place, without using up attempts, and goes on by itself."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from sqlalchemy import Engine, select, text, update

from emptying import clear
from gateway.codes import tables, unmapped
from gateway.codes.lines import Line
from gateway.codes.picture import Asked
from gateway.codes.tables import Name, Unmapped
from gateway.delivery import redrive, waiting
from gateway.delivery.backlog import backlogs
from gateway.delivery.policy import UNMAPPED_WAIT, Step
from gateway.mapping.codes import UnmappedPolicy
from gateway.model.code_table import UnmappedCode, WaitingForCode
from gateway.model.delivery import Delivery
from gateway.model.journal import Alert
from gateway.operations.dispatch import Forward, Outcome
from gateway.styles.served import Served
from gateway.styles.table import STYLES
from tests.delivery.site import HOSPITAL, Site
from tests.partners.vendor import Vendor

DEPARTMENT, STATUS = "department", "status"
REQUEST = """<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:template match="/Request">
    <Request>
      <Id><xsl:value-of select="g:value('message_id')"/></Id>
      <No><xsl:value-of select="RequisitionNo | ChargeNo | CriticalId"/></No>
      <Dept><xsl:value-of select="g:code('department', PerformDeptCode | TargetDeptCode)"/></Dept>
      <Seq><xsl:value-of select="StatusSeq | ClinicalSummary"/></Seq>
    </Request>
  </xsl:template>
</xsl:stylesheet>"""
OPERATIONS = ("SubmitRequisition", "ReportStatus", "ChargeItem", "PushCriticalValue", "GetMedicalRecord")


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    vendor = Vendor(Served(STYLES["call-interface"]))
    yield vendor
    vendor.close()


@pytest.fixture
def ward(engine: Engine, make_site: Callable[..., Site], vendor: Vendor, tmp_path: Path) -> Iterator[Ward]:
    clear(engine)
    (tmp_path / "request.xsl").write_text(REQUEST)
    success = {"xpath": "/Response/Code", "accepted": ["0"]}
    operations = {name: {"function": name, "request": "request.xsl", "success": success} for name in OPERATIONS}
    site = make_site(vendor.partner(tmp_path, "PACS", operations=operations, max_attempts=2))
    yield Ward(site, vendor)
    site.code_tables.close()


class Ward:
    """A site whose only partner has departments of its own."""

    def __init__(self, site: Site, vendor: Vendor) -> None:
        self.site = site
        self.vendor = vendor

    def send(self, department: str, key: str = "R1", number: int = 1, operation: str = "SubmitRequisition") -> int:
        """Queue a message for a department; its id."""
        return self.site.put(self.forward(department, key, number, operation))[0]

    def forward(self, department: str, key: str, number: int = 1, operation: str = "SubmitRequisition") -> Forward:
        plain = self.site.forward(operation, key, number, to="PACS", urgent=operation == "PushCriticalValue")
        field = "perform_dept_code" if operation == "SubmitRequisition" else "target_dept_code"
        if not hasattr(plain.request, field):
            return plain
        return dataclasses.replace(plain, request=dataclasses.replace(plain.request, **{field: department}))

    def use(self, *lines: Line, table: str = DEPARTMENT) -> int:
        """Let a version with these rows count, as `gateway codes activate` does; how many messages go on."""
        now = datetime.now(UTC)
        with self.site.sessions.begin() as session:
            found = tables.take_table(session, Name(HOSPITAL, "PACS", table), "zhang", now)
            version = tables.add_draft(session, found, lines, "departments.csv", "zhang", now)
            tables.activate(session, found, version, "zhang", now)
            return waiting.go_on(session, unmapped.settle(session, now), now)

    def policy(self, policy: UnmappedPolicy, theirs: str | None = None) -> int:
        now = datetime.now(UTC)
        with self.site.sessions.begin() as session:
            found = tables.take_table(session, Name(HOSPITAL, "PACS", DEPARTMENT), "zhang", now)
            tables.set_policy(session, found, Unmapped(policy, theirs), "zhang", now)
            session.flush()
            return waiting.go_on(session, unmapped.settle(session, now), now)

    def until_somebody_waits(self) -> None:
        """Until a transaction waits for another's lock; not longer than ten seconds."""
        here = "datname = current_database() AND wait_event_type = 'Lock'"
        blocked = text(f"SELECT count(*) FROM pg_stat_activity WHERE {here}")
        deadline = time.monotonic() + 10
        with self.site.sessions() as session:
            while session.scalars(blocked).one() == 0 and time.monotonic() < deadline:
                time.sleep(0.01)

    def waits(self, delivery: int) -> bool:
        """Not yet where the tables have changed while it was looked up: then it is looked at again in a second."""
        row = self.site.row(delivery)
        stored = any(one.delivery_id == delivery for one in self.all(WaitingForCode))
        return stored and (row.state, row.last_code) == ("QUEUED", "UNMAPPED")

    def got(self) -> list[tuple[str | None, str | None]]:
        """What the vendor was sent: number and department."""
        messages = [etree.fromstring(asked.payload) for asked in self.vendor.asked]
        return [(message.findtext("No"), message.findtext("Dept")) for message in messages]

    def all(self, model: Any) -> list[Any]:
        with self.site.sessions() as session:
            return list(session.scalars(select(model)))


# --- Waiting ----------------------------------------------------------------------------------------------------------


def test_it_waits_without_using_up_its_attempts(ward: Ward):
    delivery = ward.send("0577")
    for _ in range(5):
        ward.site.change(delivery, next_attempt_at=None)
        report = ward.site.sender.attempt(delivery)
        assert report.verdict.step is Step.AGAIN
        assert report.verdict.wait > UNMAPPED_WAIT / 2
    row = ward.site.row(delivery)
    assert (row.state, row.attempts, row.last_code) == ("QUEUED", 0, "UNMAPPED")
    assert ward.site.codes(delivery) == ["UNMAPPED"]  # the same look again and again is told once
    assert ward.got() == []


def test_one_alert_and_one_line_of_the_list_stand_for_any_number_of_messages(ward: Ward):
    for number in range(3):
        ward.site.sender.attempt(ward.send("0577", f"R{number}"))
    ward.site.sender.attempt(ward.send("0578", "R9"))
    assert sorted((alert.kind, alert.subject) for alert in ward.all(Alert)) == [
        ("CODE_UNMAPPED", "PACS: table department has no row for 0577 (ours to theirs)"),
        ("CODE_UNMAPPED", "PACS: table department has no row for 0578 (ours to theirs)"),
    ]
    numbers = {row.value: row.id for row in ward.all(UnmappedCode)}
    with ward.site.sessions() as session:
        counts = waiting.waiting(session)
    assert {value: counts[number].many for value, number in numbers.items()} == {"0577": 3, "0578": 1}


def test_it_keeps_its_place_and_what_follows_waits_behind_it(ward: Ward):
    with ward.site.working():
        first = ward.send("0577", "R1", 1)
        second = ward.send("0103", "R1", 2)
        other = ward.send("0103", "R2")
        ward.use(Line("0103", "FSK"))
        ward.site.wait_for(other, "DELIVERED")
        ward.site.wait(lambda: ward.waits(first))
        assert ward.site.row(second).attempts == 0
        (number,) = (row.id for row in ward.all(UnmappedCode) if row.value == "0577")
        with ward.site.sessions() as session:
            assert waiting.waiting(session)[number] == waiting.Waiting(1, 1)
        assert ward.got() == [("R2", "FSK")]


def test_it_goes_on_at_once_when_the_row_is_there_and_in_its_order(ward: Ward):
    with ward.site.working():
        first, second = ward.send("0577", "R1", 1), ward.send("0577", "R1", 2)
        ward.site.wait(lambda: ward.waits(first))
        ward.site.wait(lambda: ward.site.job(first).status == "todo")  # for a quarter of an hour
        assert ward.use(Line("0577", "XGK")) == 1
        ward.site.wait_for(second, "DELIVERED")
    assert ward.site.row(first).attempts == 1
    assert [etree.fromstring(asked.payload).findtext("Seq") for asked in ward.vendor.asked] == ["1", "2"]
    assert ward.all(Alert)[0].settled_at is not None


def test_it_goes_on_although_its_job_was_just_in_somebody_s_hands(ward: Ward):
    """The row comes between the moment the delivery is stored and the moment its job is put back into the queue."""
    delivery = ward.send("0577")
    put_back = ward.site.sender.conclude

    def conclude_then_the_row_comes(*arguments: Any, **keywords: Any) -> Any:
        done = put_back(*arguments, **keywords)
        if ward.waits(delivery):
            ward.use(Line("0577", "XGK"))
        return done

    ward.site.sender.conclude = conclude_then_the_row_comes  # type: ignore[method-assign]
    with ward.site.working():
        ward.site.wait_for(delivery, "DELIVERED")


def test_it_goes_on_although_the_row_came_while_it_was_looked_up(ward: Ward):
    """The process had looked before the row was there, and stores that it waits after: it looks again in a second."""
    delivery = ward.send("0577")
    call = ward.site.sender.call

    def look_up_then_the_row_comes(*arguments: Any) -> Any:
        answer = call(*arguments)
        if answer.code == "UNMAPPED":
            ward.use(Line("0577", "XGK"))
        return answer

    ward.site.sender.call = look_up_then_the_row_comes  # type: ignore[method-assign]
    report = ward.site.sender.attempt(delivery)
    assert (report.verdict.step, report.verdict.wait) == (Step.AGAIN, 1.0)
    assert ward.all(WaitingForCode) == []


def test_the_first_table_of_a_hospital_is_not_overlooked_by_what_is_stored_at_the_same_moment(ward: Ward):
    """The row is written but not committed when the message is stored: that waits for the commit, and looks again."""
    delivery, now, begun = ward.send("0577"), datetime.now(UTC), threading.Event()
    look_up = ward.site.sender.call

    def look_up_then_the_row_is_written(*arguments: Any) -> Any:
        answer = look_up(*arguments)
        activating.start()
        begun.wait()
        return answer

    def activate() -> None:
        with ward.site.sessions.begin() as session:
            found = tables.take_table(session, Name(HOSPITAL, "PACS", DEPARTMENT), "zhang", now)
            version = tables.add_draft(session, found, [Line("0577", "XGK")], "departments.csv", "zhang", now)
            tables.activate(session, found, version, "zhang", now)
            waiting.go_on(session, unmapped.settle(session, now), now)
            begun.set()
            ward.until_somebody_waits()

    activating = threading.Thread(target=activate)
    ward.site.sender.call = look_up_then_the_row_is_written  # type: ignore[method-assign]
    report = ward.site.sender.attempt(delivery)
    activating.join()
    assert (report.verdict.step, report.verdict.wait) == (Step.AGAIN, 1.0)
    assert ward.all(WaitingForCode) == []


def test_it_stays_open_when_another_meets_the_code_while_another_table_is_changed(ward: Ward):
    """The other looked it up before the change and counts it after: that must not hide it from who brings the row."""
    delivery, now = ward.send("0577"), datetime.now(UTC)
    ward.site.sender.attempt(delivery)
    asked = Asked(DEPARTMENT, "0577", "PACS", HOSPITAL, outbound=True)
    with ward.site.sessions.begin() as session:
        unmapped.remember(session, asked, UnmappedPolicy.PARK, 1, now, is_open=False)
    assert ward.use(Line("0577", "XGK")) == 1
    assert ward.site.row(delivery).next_attempt_at is None


def test_a_version_without_its_row_leaves_it_waiting(ward: Ward):
    delivery = ward.send("0577")
    ward.site.sender.attempt(delivery)
    assert ward.use(Line("0103", "FSK")) == 0
    assert ward.site.row(delivery).next_attempt_at is not None


def test_a_row_that_counts_from_tomorrow_is_found_by_itself(ward: Ward):
    """Nobody activates anything at midnight: what waits is looked at again every quarter of an hour."""
    delivery = ward.send("0577")
    tomorrow = datetime.now(UTC).date() + timedelta(days=2)
    ward.use(Line("0577", "XGK", valid_from=tomorrow))
    assert ward.site.sender.attempt(delivery).verdict.wait <= UNMAPPED_WAIT * 1.2
    assert ward.waits(delivery)


def test_a_row_that_counts_since_midnight_settles_what_waits_for_it_within_the_hour(ward: Ward):
    delivery, today = ward.send("0577"), datetime.now(UTC)
    ward.use(Line("0577", "XGK", valid_from=today.date() + timedelta(days=2)))
    ward.site.sender.attempt(delivery)
    let_go = []
    for days in (1, 2, 2):
        with ward.site.sessions.begin() as session:
            let_go.append(waiting.settle_hourly(session, today + timedelta(days=days)))
    assert let_go == [0, 1, 0]
    assert ward.all(Alert)[0].settled_at is not None


def test_another_policy_lets_it_go_on_too(ward: Ward):
    with ward.site.working():
        delivery = ward.send("0577")
        ward.site.wait(lambda: ward.waits(delivery))
        assert ward.policy(UnmappedPolicy.DEFAULT, "QT") == 1
        ward.site.wait_for(delivery, "DELIVERED")
    assert ward.got() == [("R1", "QT")]


def test_a_critical_value_is_looked_at_again_within_half_a_minute(ward: Ward):
    delivery = ward.send("0577", "C1", operation="PushCriticalValue")
    report = ward.site.sender.attempt(delivery)
    assert (report.verdict.step, report.verdict.wait <= 30) == (Step.AGAIN, True)
    assert ward.waits(delivery)


def test_every_critical_value_that_a_code_stops_alarms_once(ward: Ward):
    for number in (1, 2):
        delivery = ward.send("0577", f"C{number}", operation="PushCriticalValue")
        for _ in range(2):
            ward.site.change(delivery, next_attempt_at=None)
            ward.site.sender.attempt(delivery)
    assert sorted(alert.kind for alert in ward.all(Alert)) == ["CODE_UNMAPPED", *["CRITICAL_UNMAPPED"] * 2]
    ward.policy(UnmappedPolicy.REJECT)
    for number in (3, 4):
        ward.site.sender.attempt(ward.send("0577", f"C{number}", operation="PushCriticalValue"))
    assert [alert.kind for alert in ward.all(Alert)].count("DELIVERY_DEAD") == 2


def test_what_waits_for_a_code_is_counted_apart_with_what_it_holds_back(ward: Ward):
    first = ward.send("0577", "R1", 1)
    ward.send("0103", "R1", 2)
    ward.send("0103", "R2")
    ward.site.sender.attempt(first)
    with ward.site.sessions() as session:
        found = backlogs(session, ["PACS"])["PACS"]
    assert (found.counts, found.left) == ({"code": 2, "other": 1}, 1)


# --- Operators --------------------------------------------------------------------------------------------------------


def test_an_operator_can_still_give_it_up(ward: Ward):
    delivery = ward.send("0577")
    ward.site.sender.attempt(delivery)
    with ward.site.sessions.begin() as session:
        redrive.discard(session, ward.site.jobs, delivery, "asked for by telephone", datetime.now(UTC))
    with ward.site.sessions.begin() as session:
        assert waiting.waiting(session) == {}
        assert waiting.tidy(session, "PACS") == 1
    assert ward.use(Line("0577", "XGK")) == 0


def test_what_is_just_being_stored_as_waiting_again_is_not_forgotten(ward: Ward):
    """The tidying reads that it is being sent, and would then wait for what is stored meanwhile: that it waits."""
    delivery = ward.send("0577")
    ward.site.sender.attempt(delivery)
    ward.site.change(delivery, state="SENDING")
    tidied = threading.Event()

    def tidy() -> None:
        with ward.site.sessions.begin() as session:
            waiting.tidy(session, "PACS")
        tidied.set()

    tidying = threading.Thread(target=tidy)
    with ward.site.sessions.begin() as session:
        session.get_one(Delivery, delivery, with_for_update=True).state = "QUEUED"
        session.execute(update(WaitingForCode).values(goes_on_at=None))
        session.flush()
        tidying.start()
        tidied.wait(1)  # it need not wait for us, but would
    tidying.join()
    assert ward.waits(delivery)


def test_what_has_gone_on_is_forgotten_among_what_waits(ward: Ward):
    with ward.site.working():
        delivery = ward.send("0577")
        ward.site.wait(lambda: ward.waits(delivery))
        ward.use(Line("0577", "XGK"))
        ward.site.wait_for(delivery, "DELIVERED")
        ward.site.wait(lambda: ward.all(WaitingForCode) == [])


# --- The partner has nothing to do with it ----------------------------------------------------------------------------


def test_the_partner_is_not_left_alone_because_codes_are_missing(ward: Ward):
    with ward.site.working():
        waiting_ones = [ward.send("0577", f"W{number}") for number in range(10)]
        ward.site.wait(lambda: all(ward.waits(delivery) for delivery in waiting_ones))
        ward.use(Line("0103", "FSK"))
        last = ward.send("0103", "R1")
        ward.site.wait_for(last, "DELIVERED")


def test_a_question_at_once_is_not_sent_and_not_counted_against_the_partner(ward: Ward):
    for number in range(6):
        answer = ward.site.ask(ward.forward("0577", f"R{number}"))
        assert (answer.outcome, answer.code) == (Outcome.NOT_SENT, "UNMAPPED")
    ward.use(Line("0103", "FSK"))
    assert ward.site.ask(ward.forward("0103", "R9")).is_yes


def test_a_question_that_is_not_kept_ends_there(ward: Ward):
    answer = ward.site.ask(ward.forward("0577", ""), keep=False)
    assert (answer.code, ward.site.newest().state) == ("UNMAPPED", "DISCARDED")
    assert ward.all(WaitingForCode) == []


# --- Refused ----------------------------------------------------------------------------------------------------------


def test_with_the_policy_reject_it_is_a_dead_letter_with_the_one_alert_of_the_code(ward: Ward):
    ward.policy(UnmappedPolicy.REJECT)
    deliveries = [ward.send("0577", f"R{number}") for number in range(3)]
    for delivery in deliveries:
        assert ward.site.sender.attempt(delivery).verdict.step is Step.PARKED
    assert {ward.site.state(delivery) for delivery in deliveries} == {"DEAD"}
    assert [alert.kind for alert in ward.all(Alert)] == ["CODE_UNMAPPED"]


def test_values_that_pass_or_are_replaced_arrive(ward: Ward):
    ward.policy(UnmappedPolicy.PASS)
    ward.site.sender.attempt(ward.send("0577", "R1"))
    ward.policy(UnmappedPolicy.DEFAULT, "QT")
    ward.site.code_tables._looked_at = 0.0
    ward.site.sender.attempt(ward.send("0577", "R2"))
    assert ward.got() == [("R1", "0577"), ("R2", "QT")]
    assert ward.all(Alert) == []
