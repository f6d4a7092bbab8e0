"""A laboratory that only fills a table: each row becomes a message once, in order; none is skipped or in the way."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from building import HOSPITAL, ZONE
from gateway.codes.coverage import Listener, coverage
from gateway.model.journal import JournalEntry
from gateway.model.poll import PollRow, RowState
from gateway.partners.database.reading import SourceAway
from gateway.polling.asked_codes import by_polls
from gateway.polling.rounds import ClientUnknown
from hospital import Hospital
from tests.partners.database.conftest import Middle
from tests.partners.database.poller import Reader, at, lab, put

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")


def test_rows_become_messages_in_their_order_and_once(middle: Middle, hospital: Hospital):
    reader = lab(middle, hospital, batch=2)
    put(middle, 3, 1, 2, 5)
    assert reader.look() == 4
    assert reader.taken() == ["1", "2", "3", "5"]
    assert reader.look() == 0
    put(middle, 6)
    assert reader.look() == 1
    assert reader.taken()[-1] == "6"
    entry = hospital.row(JournalEntry, message_id="results-1")
    assert (entry.sender_code, entry.soap_version) == ("LIS", "database row")


def test_a_row_that_was_committed_late_with_a_lower_key_is_taken_too(middle: Middle, hospital: Hospital):
    reader = lab(middle, hospital, again_rows=3)
    put(middle, 1, 2, 4, 5)
    reader.look()
    put(middle, 3)
    assert reader.look() == 1
    assert reader.taken() == ["1", "2", "4", "5", "3"]


def test_a_late_row_is_taken_soon_after_reading_began_too(middle: Middle, hospital: Hospital):
    reader = lab(middle, hospital, start="now")
    put(middle, 1, 5)
    reader.look()
    put(middle, 8)
    reader.look()
    put(middle, 7, 4)
    assert [reader.look() for _ in range(2)] == [1, 0]
    assert reader.taken() == ["8", "7"], "what stood before reading began is not wanted"


def test_what_lies_further_back_is_not_looked_at_again(middle: Middle, hospital: Hospital):
    reader = lab(middle, hospital, again_rows=2)
    put(middle, 1, 3, 4, 5, 6, 7)
    reader.look()
    put(middle, 2)
    assert reader.look() == 0
    assert len(hospital.rows(PollRow)) <= 4, "old rows are not remembered for ever"


def test_by_time_a_late_commit_within_the_overlap_is_taken(middle: Middle, hospital: Hospital):
    reader = lab(middle, hospital, by="time", time="FOUND_AT", again_minutes=10)
    put(middle, 1, at="2026-11-16 08:00:00")
    put(middle, 2, at="2026-11-16 08:20:00")
    reader.look()
    put(middle, 3, at="2026-11-16 08:12:00")
    put(middle, 4, at="2026-11-16 08:20:00")
    put(middle, 9, at="2026-11-16 08:05:00")
    assert reader.look() == 2
    assert reader.taken() == ["1", "2", "3", "4"]
    assert reader.look() == 0


def test_by_time_a_row_that_was_changed_is_a_new_message(middle: Middle, hospital: Hospital):
    reader = lab(middle, hospital, by="time", time="FOUND_AT")
    put(middle, 1, at="2026-11-16 08:00:00")
    reader.look()
    middle.run("UPDATE RESULTS SET CONTENT = 'K 7.1', FOUND_AT = '2026-11-16 09:30:00.25' WHERE ID = 1")
    assert [reader.look() for _ in range(2)] == [1, 0]
    assert "09:30" in str(reader.bookmark().position)
    assert len(hospital.rows(JournalEntry)) == 2


def test_reading_may_begin_now_or_behind_a_key(middle: Middle, hospital: Hospital):
    reader = lab(middle, hospital, start="now")
    put(middle, 1, 2)
    assert reader.look() == 0
    put(middle, 3)
    reader.look()
    later = Reader(middle, hospital, reader.poll.model_copy(update={"name": "later", "start": "2"}))
    later.look()
    assert reader.taken()[:1] == ["3"]
    assert {row.row_key for row in hospital.rows(PollRow, poll="later")} == {"3"}


def test_by_time_nothing_from_before_the_beginning_is_taken(middle: Middle, hospital: Hospital):
    reader = lab(middle, hospital, by="time", time="FOUND_AT", start="now")
    moment = hospital.clock.now
    put(middle, 1, 2, at=at(moment - timedelta(minutes=2)))
    reader.look()
    put(middle, 3, at=at(moment + timedelta(minutes=2)))
    assert [reader.look() for _ in range(3)] == [1, 0, 0]
    put(middle, 4, at=at(moment + timedelta(minutes=1.5)))
    assert reader.look() == 1, "late, but within the overlap"
    assert reader.taken() == ["3", "4"]


@pytest.mark.parametrize("start", ["beginning", "now"])
def test_by_time_a_row_without_a_time_is_taken_once_it_has_one(middle: Middle, hospital: Hospital, start: str):
    reader = lab(middle, hospital, by="time", time="FOUND_AT", start=start)
    put(middle, 1, 2, at=None)
    put(middle, 3, at=at(hospital.clock.now))
    reader.look()
    later = at(hospital.clock.now + timedelta(minutes=1))
    middle.run(f"UPDATE RESULTS SET FOUND_AT = '{later}' WHERE ID = 1")
    assert [reader.look() for _ in range(2)] == [1, 0]
    assert reader.taken()[-1] == "1"


@pytest.mark.parametrize("start", ["beginning", "now"])
def test_by_time_a_row_of_a_wrong_clock_lets_no_other_be_skipped(middle: Middle, hospital: Hospital, start: str):
    reader = lab(middle, hospital, by="time", time="FOUND_AT", start=start)
    put(middle, 1, at="2099-12-31 00:00:00")
    reader.look()
    put(middle, 2, at=at(hospital.clock.now + timedelta(minutes=1)))
    reader.look()
    put(middle, 3, at=at(hospital.clock.now + timedelta(hours=1)))
    assert [reader.look() for _ in range(2)] == [1, 0]
    assert set(reader.taken()) == {"1", "2", "3"}
    reader.look(minutes=60)
    assert f"{hospital.clock.now:%Y-%m-%d}" in str(reader.bookmark().position), "it moves when the time has come"


def test_by_a_time_that_is_a_text_late_rows_are_taken_too(middle: Middle, hospital: Hospital):
    reader = lab(middle, hospital, by="time", time="FOUND_AT", time_type="VARCHAR(19)", again_minutes=10)
    put(middle, 1, at="2026-11-16 08:20:00")
    reader.look()
    put(middle, 2, at="2026-11-16 08:12:00")
    put(middle, 3, at="2026-11-16 08:05:00")
    assert reader.look() == 1
    assert reader.taken() == ["1", "2"]


def test_keys_of_which_the_driver_keeps_fewer_digits_hold_nothing_up(postgresql_middle: Middle, hospital: Hospital):
    """As SQL Server's and Oracle's times of seven and nine places: a row seems to stand behind itself."""
    reader = lab(postgresql_middle, hospital, key_type="REAL", batch=1)
    put(postgresql_middle, 0.1, 0.2, 0.3)
    assert reader.look() == 3
    assert reader.taken() == ["0.1", "0.2", "0.3"]


def test_text_keys_are_read_in_the_order_of_the_source(middle: Middle, hospital: Hospital):
    reader = lab(middle, hospital, key_type="VARCHAR(20)")
    put(middle, "20261116-002", "20261116-001")
    reader.look()
    put(middle, "20261116-003")
    reader.look()
    assert reader.taken() == ["20261116-001", "20261116-002", "20261116-003"]


def test_after_a_crash_between_acceptance_and_bookmark_the_row_is_known(
    middle: Middle, hospital: Hospital, monkeypatch: pytest.MonkeyPatch
):
    reader = lab(middle, hospital)
    put(middle, 1, 2)
    with monkeypatch.context() as patch:
        patch.setattr(reader.bookmarks, "decide", lambda row: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            reader.look()
    assert reader.taken() == ["1"]
    assert reader.look() == 2
    assert reader.taken() == ["1", "2"]


def test_a_refused_row_is_parked_and_the_others_go_on(middle: Middle, hospital: Hospital):
    reader = lab(middle, hospital)
    put(middle, 1)
    put(middle, 2, content="")
    put(middle, 3)
    assert reader.look() == 3
    assert reader.taken() == ["1", "3"]
    (parked,) = reader.rows(RowState.PARKED)
    assert (parked.row_key, parked.code) == ("2", "SYS-400")
    assert "Content" in parked.words
    assert ["<MessageId>results-2</MessageId>" in kept for kept in reader.kept] == [True], (
        "a critical value nobody can read is kept and told all the same"
    )
    assert hospital.alerts().count("POLL_PARKED") == 1
    put(middle, 4, content="")
    reader.look()
    assert hospital.alerts().count("POLL_PARKED") == 1, "one alert, however many are parked"


def test_a_row_the_driver_cannot_read_is_parked_and_the_others_go_on(postgresql_middle: Middle, hospital: Hospital):
    reader = lab(postgresql_middle, hospital)
    put(postgresql_middle, 1, 3)
    put(postgresql_middle, 2, at="infinity")
    assert reader.look() == 3
    assert reader.taken() == ["1", "3"]
    (parked,) = reader.rows(RowState.PARKED)
    assert parked.row_key == "2"
    assert "cannot read this row" in parked.words


def test_details_the_driver_cannot_read_park_their_row_alone(postgresql_middle: Middle, hospital: Hospital):
    detail = {"table": "ITEMS", "columns": ["AT"], "match": {"RESULT_ID": "ID"}, "order": ["AT"]}
    reader = lab(postgresql_middle, hospital, details=[detail])
    postgresql_middle.run("CREATE TABLE ITEMS (RESULT_ID INTEGER, AT TIMESTAMP)")
    postgresql_middle.run("INSERT INTO ITEMS VALUES (1, '2026-11-16'), (2, 'infinity')")
    put(postgresql_middle, 1, 2, 3)
    assert reader.look() == 3
    assert reader.taken() == ["1", "3"]
    assert [row.row_key for row in reader.rows(RowState.PARKED)] == ["2"]


def test_a_date_without_end_is_read_in_any_zone(middle: Middle, hospital: Hospital):
    middle.settings = {"database": {"utc": True}}
    reader = lab(middle, hospital)
    put(middle, 1, at="9999-12-31 23:59:59")
    row = reader.source.row("1")
    assert row is not None
    assert row.element is not None
    assert row.element.findtext("FOUND_AT") == "9999-12-31T23:59:59"


def test_a_row_that_was_gone_is_taken_when_it_comes_back(middle: Middle, hospital: Hospital):
    reader = lab(middle, hospital)
    put(middle, 1, content="")
    reader.look()
    with hospital.sessions.begin() as session:
        session.execute(text("UPDATE poll_row SET state = 'RETRY'"))
    middle.run("DELETE FROM RESULTS")
    reader.look()
    assert [row.code for row in reader.rows(RowState.SKIPPED)] == ["GONE"]
    put(middle, 1)
    reader.look()
    assert reader.taken() == ["1"]


def test_a_row_that_is_given_up_while_others_are_tried_again_is_not_sent(
    middle: Middle, hospital: Hospital, monkeypatch: pytest.MonkeyPatch
):
    reader = lab(middle, hospital)
    put(middle, 1, 2, content="")
    reader.look()
    middle.run("UPDATE RESULTS SET CONTENT = 'K 6.9'")
    with hospital.sessions.begin() as session:
        session.execute(text("UPDATE poll_row SET state = 'RETRY'"))
    receive = reader.receive

    def receive_while_the_other_is_given_up(received):
        with hospital.sessions.begin() as session:
            session.execute(text("UPDATE poll_row SET state = 'SKIPPED' WHERE row_key = '2'"))
        return receive(received)

    monkeypatch.setattr(reader, "receive", receive_while_the_other_is_given_up)
    reader.look()
    assert reader.taken() == ["1"]
    assert [row.row_key for row in reader.rows(RowState.SKIPPED)] == ["2"]


def test_a_parked_row_that_was_mended_is_taken_when_somebody_says_so(middle: Middle, hospital: Hospital):
    reader = lab(middle, hospital)
    put(middle, 1, content="")
    reader.look()
    middle.run("UPDATE RESULTS SET CONTENT = 'K 6.9' WHERE ID = 1")
    assert reader.look() == 0
    with hospital.sessions.begin() as session:
        session.execute(text("UPDATE poll_row SET state = 'RETRY'"))
    assert reader.look() == 1
    assert reader.taken() == ["1"]
    assert [entry.message_id for entry in hospital.rows(JournalEntry)] == ["results-1-R1"]


def test_a_changed_row_with_a_version_is_a_new_message(middle: Middle, hospital: Hospital):
    reader = lab(middle, hospital, version="VERSION")
    put(middle, 1)
    reader.look()
    middle.run("UPDATE RESULTS SET CONTENT = 'K 7.1', VERSION = 2 WHERE ID = 1")
    assert reader.look() == 1
    assert {entry.message_id for entry in hospital.rows(JournalEntry)} == {"results-1-1", "results-1-2"}


def test_by_mark_each_row_is_taken_when_it_is_ready_and_told_what_became_of_it(middle: Middle, hospital: Hospital):
    reader = lab(
        middle, hospital, by="mark", mark={"column": "FLAG", "refused": "2"}, answer={"CODE": "code", "MSG": "text"}
    )
    put(middle, 1)
    put(middle, 2, content="")
    put(middle, 3, flag="N")
    assert reader.look() == 2
    assert middle.rows("SELECT ID, FLAG, CODE FROM RESULTS ORDER BY ID") == [
        (1, "1", "0"),
        (2, "2", "SYS-400"),
        (3, "N", None),
    ]
    middle.run(
        "UPDATE RESULTS SET FLAG = '0', CONTENT = 'Na 110' WHERE ID = 2", "UPDATE RESULTS SET FLAG = '0' WHERE ID = 3"
    )
    assert reader.look() == 2
    assert sorted(reader.taken()) == ["1", "2", "3"]
    assert middle.rows("SELECT DISTINCT FLAG FROM RESULTS") == [("1",)]


def test_a_mark_that_could_not_be_written_is_written_later(
    middle: Middle, hospital: Hospital, monkeypatch: pytest.MonkeyPatch
):
    reader = lab(middle, hospital, by="mark", mark={"column": "FLAG"})
    put(middle, 1, 2)
    with monkeypatch.context() as patch:
        patch.setattr(reader.source, "mark", lambda key, values: (_ for _ in ()).throw(SourceAway("LOCKED")))
        with pytest.raises(SourceAway, match="LOCKED"):
            reader.look()
    assert reader.taken() == ["1", "2"], "a row somebody holds stops no other"
    assert reader.look() == 0
    assert middle.rows("SELECT DISTINCT FLAG FROM RESULTS") == [("1",)]
    assert reader.taken() == ["1", "2"]


def test_a_row_without_a_mark_is_unread_where_the_settings_say_so(middle: Middle, hospital: Hospital):
    reader = lab(middle, hospital, by="mark", mark={"column": "CODE", "unread": "", "taken": "OK"})
    put(middle, 1, 2)
    middle.run("UPDATE RESULTS SET CODE = '' WHERE ID = 2")
    assert [reader.look() for _ in range(2)] == [2, 0]
    assert middle.rows("SELECT DISTINCT CODE FROM RESULTS") == [("OK",)]


@pytest.mark.parametrize(("code", "minutes"), [("RIGHTS", 0), ("READ-ONLY", 1)])
def test_a_mark_that_can_never_be_written_is_told_once(
    middle: Middle, hospital: Hospital, monkeypatch: pytest.MonkeyPatch, code: str, minutes: int
):
    reader = lab(middle, hospital, by="mark", mark={"column": "FLAG"})
    put(middle, 1)
    monkeypatch.setattr(reader.source, "mark", lambda key, values: (_ for _ in ()).throw(SourceAway(code)))
    for _ in range(3):
        with pytest.raises(SourceAway):
            reader.look(minutes=minutes)
        reader.bookmarks.failed(code, "")
    assert hospital.alerts().count("POLL_FAILS") == 1


def test_without_the_right_nothing_is_read(middle: Middle, hospital: Hospital):
    reader = lab(middle, hospital)
    reader.rights = frozenset()
    put(middle, 1)
    with pytest.raises(ClientUnknown):
        reader.look()
    assert reader.taken() == []


def test_a_renamed_column_is_told_by_its_name(middle: Middle, hospital: Hospital):
    reader = lab(middle, hospital)
    put(middle, 1)
    reader.look()
    middle.run("ALTER TABLE RESULTS RENAME COLUMN CONTENT TO TEXT_OF_IT")
    put_again = "INSERT INTO RESULTS (ID, TEXT_OF_IT) VALUES (2, 'Na 110')"
    middle.run(put_again)
    with pytest.raises(SourceAway):
        reader.look()
    with pytest.raises(SourceAway, match="no column CONTENT"):
        reader.look()
    middle.run("ALTER TABLE RESULTS RENAME COLUMN TEXT_OF_IT TO CONTENT")
    assert reader.look() == 1


def test_rows_of_a_second_table_come_with_their_row(middle: Middle, hospital: Hospital):
    middle.run("CREATE TABLE ITEMS (RESULT_ID INTEGER, SEQ INTEGER, NAME VARCHAR(20), PRIMARY KEY (RESULT_ID, SEQ))")
    detail = {"table": "ITEMS", "columns": ["SEQ", "NAME"], "match": {"RESULT_ID": "ID"}}
    reader = lab(middle, hospital, details=[detail])
    put(middle, 1)
    middle.run("INSERT INTO ITEMS VALUES (1, 2, 'Na'), (1, 1, 'K'), (2, 1, 'Ca')")
    row = reader.source.row("1")
    assert row is not None
    assert row.element is not None
    assert [one.findtext("NAME") for one in row.element.iter("Detail")] == ["K", "Na"]


def test_codes_of_rows_that_were_taken_are_heard_again_in_the_journal(middle: Middle, hospital: Hospital):
    reader = lab(middle, hospital)
    put(middle, 1, 2)
    reader.look()
    reader.middle.stylesheet("<Request><xsl:value-of select=\"g:code('test', Row/CONTENT)\"/></Request>", "row.xsl")
    partner = middle.partner(name="LIS", polls=(reader.poll,))
    source = by_polls(partner, HOSPITAL, ZONE, hospital.clock() - timedelta(days=7), 1000)
    with hospital.sessions() as session:
        listener = Listener(session, hospital.clock().date())
        assert (source.count(session), source.listen(session, listener, lambda done: None)) == (2, 0)
    (found,) = coverage(listener)
    assert (found.scope, found.without) == ((HOSPITAL, "LIS", "test", False), (("K 6.9 mmol/L", 2),))


def test_a_view_is_read_like_a_table(middle: Middle, hospital: Hospital):
    reader = lab(middle, hospital, table="V_RESULTS", where={"FLAG": ["0", "5"]})
    middle.run("CREATE VIEW V_RESULTS AS SELECT ID, CONTENT, FOUND_AT, FLAG FROM RESULTS")
    put(middle, 1)
    put(middle, 2, flag="9")
    put(middle, 3, flag="5")
    reader.look()
    assert reader.taken() == ["1", "3"]


def test_a_row_of_characters_xml_cannot_hold_is_taken_without_them(middle: Middle, hospital: Hospital):
    reader = lab(middle, hospital)
    put(middle, 1, content="K \x0b6.9 \x01王𠮷祥")
    reader.look()
    row = reader.source.row("1")
    assert row is not None
    assert row.element is not None
    assert row.element.findtext("CONTENT") == "K 6.9 王𠮷祥"
