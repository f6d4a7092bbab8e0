"""Versions of a code table: drafts, the one that counts, the way back; and what is settled when one begins to count."""

import threading
from datetime import timedelta

import pytest
from mapping_tables import NOW, RADIOLOGY, Hospital, name_of
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from gateway.codes import tables, unmapped
from gateway.codes.lines import Line
from gateway.codes.tables import CodesRefused
from gateway.mapping.codes import Unmapped, UnmappedPolicy
from gateway.model.code_table import CodeRevision, CodeVersion, UnmappedCode, VersionState
from gateway.model.journal import Alert


def test_a_draft_counts_for_nothing_until_it_is_activated(hospital: Hospital):
    hospital.draft(*RADIOLOGY)
    with pytest.raises(Unmapped):
        hospital.theirs("0103")
    hospital.activate()
    assert hospital.theirs("0103") == "FSK"


def test_who_and_when_is_kept_with_every_version(hospital: Hospital):
    hospital.use(*RADIOLOGY)
    hospital.use(Line("0103", "NEW"))
    first, second = hospital.version(1), hospital.version(2)
    assert (first.made_by, first.activated_by, first.retired_by) == ("zhang", "li", "li")
    assert (second.made_by, second.made_at, second.activated_at, second.retired_at) == ("zhang", NOW, NOW, None)
    assert (first.source, first.row_count, second.replaced) == ("科室.csv", 2, 1)


def test_one_version_counts_at_a_time(hospital: Hospital):
    for number in (1, 2, 3):
        hospital.use(Line("0103", str(number)))
    assert hospital.states() == [(1, "RETIRED"), (2, "RETIRED"), (3, "ACTIVE")]


def test_the_database_itself_lets_no_two_versions_count(hospital: Hospital):
    hospital.use(*RADIOLOGY)
    hospital.draft(*RADIOLOGY)
    both = update(CodeVersion).values(state=VersionState.ACTIVE)
    with hospital.sessions() as session, pytest.raises(IntegrityError):
        session.execute(both)


def test_a_rollback_leads_to_the_version_before_and_then_to_the_one_before_that(hospital: Hospital):
    for number in (1, 2, 3):
        hospital.use(Line("0103", str(number)))
    hospital.roll_back()
    assert (hospital.states()[1:], hospital.version(2).activated_by) == ([(2, "ACTIVE"), (3, "RETIRED")], "wang")
    hospital.roll_back()
    hospital.forget_when_looked()
    assert hospital.theirs("0103") == "1"
    with pytest.raises(CodesRefused, match="nothing to go back to"):
        hospital.roll_back()
    assert hospital.states()[0] == (1, "ACTIVE")


def test_a_rollback_skips_versions_that_never_counted(hospital: Hospital):
    hospital.use(Line("0103", "1"))
    hospital.draft(Line("0103", "2"))
    hospital.use(Line("0103", "3"))
    hospital.roll_back()
    assert hospital.states() == [(1, "ACTIVE"), (2, "DRAFT"), (3, "RETIRED")]


def test_a_version_that_was_rolled_back_can_count_again(hospital: Hospital):
    hospital.use(Line("0103", "1"))
    hospital.use(Line("0103", "2"))
    hospital.roll_back()
    hospital.activate(2)
    assert hospital.states() == [(1, "RETIRED"), (2, "ACTIVE")]
    hospital.roll_back()
    assert hospital.states() == [(1, "ACTIVE"), (2, "RETIRED")]


def test_what_cannot_be_activated_is_said(hospital: Hospital):
    hospital.use(*RADIOLOGY)
    with pytest.raises(CodesRefused, match="no version that is DRAFT"):
        hospital.activate()
    with pytest.raises(CodesRefused, match="Version 1 of department is active already"):
        hospital.activate(1)
    with pytest.raises(CodesRefused, match="no version 7"):
        hospital.activate(7)
    with pytest.raises(CodesRefused, match=r"no table sex for all partners at H1"):
        hospital.activate(table="sex")


def test_a_policy_that_cannot_work_is_refused(hospital: Hospital):
    with pytest.raises(CodesRefused, match="needs the value that stands in"):
        hospital.policy(UnmappedPolicy.DEFAULT)
    with pytest.raises(CodesRefused, match="by the policy default alone"):
        hospital.policy(UnmappedPolicy.PASS, theirs="X")


def test_two_people_who_import_at_once_get_two_numbers(hospital: Hospital):
    threads = [threading.Thread(target=hospital.draft, args=RADIOLOGY) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [number for number, _ in hospital.states()] == [1, 2, 3, 4]


def test_what_waits_is_settled_with_its_alert_by_the_version_that_has_the_row(hospital: Hospital):
    for value in ("0103", "0999"):
        with pytest.raises(Unmapped):
            hospital.theirs(value)
    waiting = {row.value: row.id for row in hospital.all(UnmappedCode)}
    hospital.draft(*RADIOLOGY)
    assert hospital.activate() == [waiting["0103"]]
    assert [alert.settled_at is None for alert in hospital.all(Alert)] == [False, True]


def test_what_was_settled_is_open_again_and_alarms_again_when_the_row_goes(hospital: Hospital):
    hospital.use(Line("0577", "XGK"))
    with pytest.raises(Unmapped):
        hospital.theirs("0103")
    hospital.use(*RADIOLOGY)
    hospital.roll_back()
    with pytest.raises(Unmapped):
        hospital.theirs("0103")
    (row,) = hospital.all(UnmappedCode)
    assert (row.met, row.resolved_at) == (2, None)
    assert [alert.settled_at is None for alert in hospital.all(Alert)] == [False, True]


def test_a_row_of_the_table_for_all_settles_what_a_partner_waits_for(hospital: Hospital):
    with pytest.raises(Unmapped):
        hospital.theirs("0103", partner="PACS")
    hospital.draft(*RADIOLOGY, partner="LIS")
    assert hospital.activate(partner="LIS") == []
    hospital.draft(*RADIOLOGY)
    assert len(hospital.activate()) == 1


def test_letting_values_pass_settles_what_was_stopped_and_goes_on_counting(hospital: Hospital):
    with pytest.raises(Unmapped):
        hospital.theirs("0103")
    hospital.policy(UnmappedPolicy.PASS)
    assert hospital.all(UnmappedCode)[0].resolved_at == NOW
    assert hospital.theirs("0103") == "0103"
    (row,) = hospital.all(UnmappedCode)
    assert (row.met, row.policy) == (1, "park")  # the next second's count is still to be stored
    hospital.codes.close()
    (row,) = hospital.all(UnmappedCode)
    assert (row.met, row.policy, row.resolved_at) == (2, "pass", None)


def test_a_value_looked_up_just_before_its_row_came_is_not_open(hospital: Hospital):
    """Whoever is stopped by it looks again at once, instead of waiting for a row that is there."""
    with hospital.sessions() as session:
        before = tables.revision(session)
    hospital.use(*RADIOLOGY)
    asked = unmapped.Asked("department", "0103", "PACS", "H1", outbound=True)
    hospital.codes._recorder.met(asked, UnmappedPolicy.PARK, before)
    with hospital.sessions.begin() as session:
        assert unmapped.open_number(session, asked, UnmappedPolicy.PARK, NOW) is None
    assert hospital.count(Alert) == 0


def test_every_change_of_what_counts_is_told_by_one_number(hospital: Hospital):
    numbers = []
    for change in (lambda: hospital.use(*RADIOLOGY), lambda: hospital.use(Line("1", "2")), hospital.roll_back):
        change()
        with hospital.sessions() as session:
            numbers.append(session.get_one(CodeRevision, 1).revision)
    assert numbers == [1, 2, 3]


def test_what_was_not_met_for_three_months_is_forgotten(hospital: Hospital):
    with pytest.raises(Unmapped):
        hospital.theirs("0103")
    with hospital.sessions.begin() as session:
        assert unmapped.forget_unmapped(session, NOW + timedelta(days=89)) == 0
        assert unmapped.forget_unmapped(session, NOW + timedelta(days=91)) == 1


def test_all_tables_are_listed_with_what_counts(hospital: Hospital):
    hospital.use(*RADIOLOGY)
    hospital.draft(Line("1", "2"))
    hospital.draft(Line("1", "M"), table="sex", partner="PACS")
    with hospital.sessions() as session:
        found = [(one.table.name, one.table.partner, one.active, one.drafts) for one in tables.all_tables(session)]
        assert tables.find_table(session, name_of(table="sex")) is None
    assert [(name, partner, drafts) for name, partner, _, drafts in found] == [
        ("department", "", 1),
        ("sex", "PACS", 1),
    ]
    assert (found[0][2].row_count, found[1][2]) == (2, None)
