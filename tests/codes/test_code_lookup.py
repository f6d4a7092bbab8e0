"""What a stylesheet gets when it asks for a code: as written, by day and direction, or by what is said for the rest."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from mapping_tables import BRANCH, HOSPITAL, NOW, RADIOLOGY, TODAY, Hospital, now
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from gateway.codes.lines import Line, key_of
from gateway.codes.translating import DatabaseCodes
from gateway.mapping.codes import Unmapped, UnmappedPolicy
from gateway.model.code_table import CodeRow, Direction, UnmappedCode
from gateway.model.journal import Alert
from gateway.store import make_sessions

TOMORROW, YESTERDAY = TODAY + timedelta(days=1), TODAY - timedelta(days=1)


def unmapped(ask: Callable[[], str]) -> UnmappedPolicy:
    with pytest.raises(Unmapped) as told:
        ask()
    return told.value.policy


# --- Codes as people write them ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "written", ["0577", " 0577", "0577  ", "０５７７", "0５77　", "\t0577\u3000", "\ufeff0577", "0577\u00a0"]
)
def test_a_code_is_found_however_it_is_spaced_and_widened(hospital: Hospital, written: str):
    hospital.use(*RADIOLOGY)
    assert hospital.theirs(written) == "XGK"


def test_a_leading_zero_is_part_of_the_code(hospital: Hospital):
    hospital.use(Line("0577", "A"), Line("577", "B"))
    assert (hospital.theirs("0577"), hospital.theirs("577")) == ("A", "B")
    assert unmapped(lambda: hospital.theirs("00577")) is UnmappedPolicy.PARK


def test_the_answer_is_what_the_table_says_to_the_letter(hospital: Hospital):
    hospital.use(Line("1", "头部（平扫）"))
    assert hospital.theirs("1") == "头部（平扫）"
    assert hospital.ours("头部(平扫)") == "1"


def test_nothing_stays_nothing(hospital: Hospital):
    assert (hospital.theirs(""), hospital.theirs("  ")) == ("", "  ")
    assert hospital.count(UnmappedCode) == 0


def test_inner_white_space_is_one_space():
    assert key_of(" a \u3000 b\n") == "a b"


# --- Days -------------------------------------------------------------------------------------------------------------


def test_a_code_retired_today_still_answers_for_yesterday(hospital: Hospital):
    hospital.use(Line("0103", "OLD", valid_to=TODAY))
    assert hospital.theirs("0103", on=YESTERDAY) == "OLD"
    assert unmapped(lambda: hospital.theirs("0103", on=TODAY)) is UnmappedPolicy.PARK


def test_a_code_valid_from_tomorrow_does_not_answer_today(hospital: Hospital):
    hospital.use(Line("0103", "NEW", valid_from=TOMORROW))
    assert unmapped(lambda: hospital.theirs("0103")) is UnmappedPolicy.PARK
    assert hospital.theirs("0103", on=TOMORROW) == "NEW"


def test_one_code_follows_the_other_without_a_day_between(hospital: Hospital):
    hospital.use(Line("0103", "OLD", valid_to=TODAY), Line("0103", "NEW", valid_from=TODAY))
    assert [hospital.theirs("0103", on=day) for day in (YESTERDAY, TODAY)] == ["OLD", "NEW"]


# --- Directions -------------------------------------------------------------------------------------------------------


def test_both_ways_unless_a_row_goes_one_way_only(hospital: Hospital):
    hospital.use(Line("1", "M"), Line("9", "U", direction=Direction.OUT), Line("0", "X", direction=Direction.IN))
    assert [hospital.theirs("1"), hospital.ours("M"), hospital.theirs("9"), hospital.ours("X")] == ["M", "1", "U", "0"]
    assert unmapped(lambda: hospital.ours("U")) is UnmappedPolicy.PARK
    assert unmapped(lambda: hospital.theirs("0")) is UnmappedPolicy.PARK


def test_of_several_of_ours_the_preferred_one_is_meant(hospital: Hospital):
    hospital.use(Line("0103", "R"), Line("0104", "R", preferred=True), Line("0105", "R"))
    assert {hospital.theirs(code) for code in ("0103", "0104", "0105")} == {"R"}
    assert hospital.ours("R") == "0104"


def test_the_preferred_one_may_stand_first(hospital: Hospital):
    hospital.use(Line("0103", "R", preferred=True), Line("0104", "R"))
    assert hospital.ours("R") == "0103"


def test_of_several_of_ours_none_is_guessed(hospital: Hospital):
    hospital.use(Line("0103", "R"), Line("0104", "R"))
    assert unmapped(lambda: hospital.ours("R")) is UnmappedPolicy.PARK


# --- Whose table ------------------------------------------------------------------------------------------------------


def test_a_partner_s_own_table_counts_before_that_for_all(hospital: Hospital):
    hospital.use(Line("0103", "ALL"))
    hospital.use(Line("0103", "OWN"), partner="PACS")
    assert hospital.theirs("0103") == "OWN"
    assert hospital.theirs("0103", partner="LIS") == "ALL"


def test_a_partner_s_draft_changes_nothing(hospital: Hospital):
    hospital.use(Line("0103", "ALL"))
    hospital.draft(Line("0103", "OWN"), partner="PACS")
    assert hospital.theirs("0103") == "ALL"


def test_hospitals_have_tables_of_their_own(hospital: Hospital):
    hospital.use(Line("0103", "FSK"))
    hospital.use(Line("0103", "NK"), hospital=BRANCH)
    assert (hospital.theirs("0103"), hospital.theirs("0103", hospital_code=BRANCH)) == ("FSK", "NK")


# --- Without a row ----------------------------------------------------------------------------------------------------


def test_a_value_without_a_row_is_refused_passes_is_replaced_or_waits(hospital: Hospital):
    hospital.use(*RADIOLOGY)
    assert unmapped(lambda: hospital.theirs("0999")) is UnmappedPolicy.PARK
    hospital.policy(UnmappedPolicy.REJECT)
    assert unmapped(lambda: hospital.theirs("0999")) is UnmappedPolicy.REJECT
    hospital.policy(UnmappedPolicy.PASS)
    hospital.forget_when_looked()
    assert hospital.theirs("0999 ") == "0999 "
    hospital.policy(UnmappedPolicy.DEFAULT, theirs="QT")
    hospital.forget_when_looked()
    assert hospital.theirs("0999") == "QT"
    assert unmapped(lambda: hospital.ours("ZZZ")) is UnmappedPolicy.REJECT


def test_a_table_nobody_has_made_lets_messages_wait(hospital: Hospital):
    assert unmapped(lambda: hospital.theirs("1", table="sex")) is UnmappedPolicy.PARK


def test_every_value_is_counted_once_with_how_often_and_since_when(hospital: Hospital):
    hospital.policy(UnmappedPolicy.PASS)
    for value in ("0999", "0999 ", "０９９９", "0998"):
        hospital.theirs(value)
    hospital.ours("0999")
    hospital.codes.close()
    found = {(row.value, row.outbound): (row.met, row.first_seen, row.policy) for row in hospital.all(UnmappedCode)}
    assert found == {
        ("0999", True): (3, NOW, "pass"),
        ("0998", True): (1, NOW, "pass"),
        ("0999", False): (1, NOW, "pass"),
    }
    assert hospital.count(Alert) == 0


def test_what_stops_a_message_alarms_once_whatever_the_number_of_messages(hospital: Hospital):
    for _ in range(3):
        unmapped(lambda: hospital.theirs("0999"))
    unmapped(lambda: hospital.theirs("0998"))
    assert [(alert.kind, alert.subject) for alert in hospital.all(Alert)] == [
        ("CODE_UNMAPPED", "PACS: table department has no row for 0999 (ours to theirs)"),
        ("CODE_UNMAPPED", "PACS: table department has no row for 0998 (ours to theirs)"),
    ]


def test_a_text_that_is_no_code_is_not_kept_whole(hospital: Hospital):
    unmapped(lambda: hospital.theirs("x" * 5000))
    assert len(hospital.all(UnmappedCode)[0].value) == 100


# --- One process ------------------------------------------------------------------------------------------------------


def test_a_new_version_counts_at_once_for_what_had_no_row(hospital: Hospital):
    unmapped(lambda: hospital.theirs("0103"))
    hospital.use(*RADIOLOGY)
    assert hospital.theirs("0103") == "FSK"


def test_another_process_learns_of_a_new_version_within_a_second(hospital: Hospital):
    hospital.use(Line("0103", "OLD"))
    other = DatabaseCodes(hospital.sessions, now)
    asked = {"table": "department", "value": "0103", "partner": "PACS", "hospital_code": HOSPITAL, "on": TODAY}
    assert other.translate(**asked, outbound=True) == "OLD"
    hospital.use(Line("0103", "NEW"))
    assert other.translate(**asked, outbound=True) == "OLD"
    other._looked_at -= 1
    assert other.translate(**asked, outbound=True) == "NEW"


def test_nothing_is_asked_of_the_database_within_the_second(hospital: Hospital, monkeypatch):
    hospital.use(*RADIOLOGY)
    assert hospital.theirs("0103") == "FSK"
    monkeypatch.setattr(hospital.codes, "_sessions", None)
    assert hospital.theirs("0577") == "XGK"


def test_the_last_tables_are_gone_by_while_the_database_is_away(hospital: Hospital, monkeypatch, caplog):
    hospital.use(*RADIOLOGY)
    assert hospital.theirs("0103") == "FSK"
    away = make_sessions(create_engine("postgresql+psycopg://u:p@127.0.0.1:1/x"))
    monkeypatch.setattr(hospital.codes, "_sessions", away)
    monkeypatch.setattr(hospital.codes._recorder, "_sessions", away)
    hospital.forget_when_looked()
    assert hospital.theirs("0577") == "XGK"
    assert unmapped(lambda: hospital.theirs("0999")) is UnmappedPolicy.PARK
    assert "go on as last read" in caplog.text
    assert "0999" not in caplog.text


def test_a_table_never_read_cannot_be_answered_while_the_database_is_away():
    codes = DatabaseCodes(make_sessions(create_engine("postgresql+psycopg://u:p@127.0.0.1:1/x")), now)
    with pytest.raises(OperationalError):
        codes.translate("department", "1", partner="PACS", hospital_code=HOSPITAL, outbound=True, on=TODAY)


def test_many_threads_ask_while_versions_change(hospital: Hospital):
    hospital.use(Line("0103", "1"))
    answers, wrong = set(), []

    def ask() -> None:
        try:
            for _ in range(200):
                hospital.forget_when_looked()
                answers.add(hospital.theirs("0103"))
        except Exception as problem:
            wrong.append(problem)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(2, 6):
        hospital.use(Line("0103", str(number)))
    for thread in threads:
        thread.join()
    assert wrong == []
    assert answers <= {"1", "2", "3", "4", "5"}
    hospital.forget_when_looked()
    assert hospital.theirs("0103") == "5"


# --- The database keeps versions --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE code_row SET theirs = 'X'",
        "DELETE FROM code_row",
        "INSERT INTO code_row (version_id, ours, ours_name, theirs, theirs_name, direction, preferred, note)"
        " SELECT version_id, 'N', '', 'N', '', 'BOTH', false, '' FROM code_row LIMIT 1",
    ],
)
def test_rows_never_change_once_their_version_was_active(hospital: Hospital, statement: str):
    hospital.use(*RADIOLOGY)
    hospital.use(Line("0103", "NEW"))
    with pytest.raises(Exception, match="is refused"), hospital.sessions.begin() as session:
        session.execute(text(statement))
    assert hospital.count(CodeRow) == 3
