"""What a stylesheet asks of a partner's tables is written there once, in one transaction, or not at all."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import pytest

from gateway.mapping.codes import NoCodeTables
from gateway.operations.dispatch import Outcome
from gateway.partners.addressing import Stamp
from gateway.partners.database.dialect import Database
from gateway.partners.mapped import Surroundings
from tests.partners.database.conftest import BEIJING, ORIGIN, Middle
from tests.partners.fake_partner import CONTRACT, WIRE, sample

CHARGES = """CREATE TABLE CHARGES (
    ID {serial}, MSG_ID VARCHAR(64) NOT NULL UNIQUE, CHARGE_NO VARCHAR(40) NOT NULL, VISIT_NO VARCHAR(20),
    AMOUNT DECIMAL(10,2) NOT NULL, NOTE VARCHAR(10), AT {time}, FLAG CHAR(1) NOT NULL DEFAULT '0')"""
LINES = """CREATE TABLE CHARGE_LINES (
    CHARGE_NO VARCHAR(40) NOT NULL, LINE_NO INTEGER NOT NULL, ITEM VARCHAR(40), PRIMARY KEY (CHARGE_NO, LINE_NO))"""
INSERT = """<Rows><insert table="CHARGES"><CHARGE_NO><xsl:value-of select="Request/ChargeNo"/></CHARGE_NO>
    <VISIT_NO><xsl:value-of select="Request/VisitNo"/></VISIT_NO><AMOUNT>{amount}</AMOUNT>
    <NOTE>{note}</NOTE><AT><xsl:value-of select="g:date(Request/OccurredAt)"/></AT></insert>
    <xsl:for-each select="Request/Lines/*"><insert table="CHARGE_LINES">
    <CHARGE_NO><xsl:value-of select="/Request/ChargeNo"/></CHARGE_NO><LINE_NO><xsl:value-of select="LineNo"/></LINE_NO>
    <ITEM><xsl:value-of select="ChargeCode"/></ITEM></insert></xsl:for-each></Rows>"""


@pytest.fixture
def charges(middle: Middle) -> Middle:
    """A billing system that takes charges from a table."""
    is_mariadb = middle.is_mariadb
    serial = "INTEGER PRIMARY KEY AUTO_INCREMENT" if is_mariadb else "SERIAL PRIMARY KEY"
    middle.run(CHARGES.format(serial=serial, time="DATETIME" if is_mariadb else "TIMESTAMP"), LINES)
    middle.settings = {"database": {"tables": ["CHARGES", "CHARGE_LINES"], "message_id": "MSG_ID"}}
    middle.stylesheet(INSERT.format(amount="12.30", note="ok"))
    return middle


def test_a_charge_is_written_with_its_lines(charges: Middle):
    answer = charges.send()
    assert (answer.outcome, answer.code, answer.detail) == (Outcome.ANSWERED, "0", "")
    request = sample("ChargeItem")
    assert charges.rows("SELECT MSG_ID, CHARGE_NO, AMOUNT, NOTE, FLAG FROM CHARGES") == [
        ("GW-1", request.charge_no, Decimal("12.30"), "ok", "0")
    ]
    assert len(charges.rows("SELECT * FROM CHARGE_LINES")) == len(request.lines)


def test_the_same_message_sent_again_is_written_once(charges: Middle):
    assert [charges.send().code for _ in range(3)] == ["0", "0", "0"]
    assert charges.rows("SELECT COUNT(*) FROM CHARGES") == [(1,)]


def test_a_charge_is_found_by_its_key(charges: Middle):
    partners = charges.partners(charges.partner({"ChargeItem": {"request": "request.xsl"}}))
    request, stamp = sample("ChargeItem"), Stamp("GW-1", ORIGIN)
    assert partners.find_booking("PACS", "ChargeItem", request, stamp) is None
    partners.call("PACS", "ChargeItem", request, stamp)
    found = partners.find_booking("PACS", "ChargeItem", request, stamp)
    assert found is not None
    assert found.is_yes


@pytest.mark.parametrize(
    ("amount", "note", "code", "words"),
    [
        ("12.305", "ok", "DATA", "2 digits after the point"),
        ("123456789.00", "ok", "DATA", "8 digits before the point"),
        ("twelve", "ok", "DATA", "takes a number"),
        ("", "ok", "MISSING", "must have a value"),
        ("1.00", "much too long a note", "TOO-LONG", "takes 10 characters, and the text has 20"),
    ],
)
def test_what_the_table_would_not_take_is_said_before_anything_is_sent(
    charges: Middle, amount: str, note: str, code: str, words: str
):
    charges.stylesheet(INSERT.format(amount=amount, note=note))
    answer = charges.send()
    assert (answer.outcome, answer.code) == (Outcome.FAULT, code)
    assert words in answer.detail
    assert "much" not in answer.detail
    assert charges.rows("SELECT COUNT(*) FROM CHARGES") == [(0,)]


def test_one_refused_row_undoes_all_of_the_message(charges: Middle):
    request = sample("ChargeItem")
    twice = replace(request, lines=(request.lines[0], request.lines[0]))
    answer = charges.send(request=twice)
    assert (answer.outcome, answer.code) == (Outcome.FAULT, "UNIQUE")
    assert charges.rows("SELECT COUNT(*) FROM CHARGES") == [(0,)]


def test_sql_in_a_value_stays_a_value(charges: Middle):
    request = replace(sample("ChargeItem"), charge_no="x');DROP/**/TABLE/**/CHARGES;--")
    assert charges.send(request=request).is_yes
    assert charges.rows("SELECT CHARGE_NO FROM CHARGES") == [(request.charge_no,)]


def test_a_table_the_settings_do_not_name_is_out_of_reach(charges: Middle):
    charges.run("CREATE TABLE SALARIES (NAME VARCHAR(10))")
    charges.stylesheet('<Rows><insert table="SALARIES"><NAME>x</NAME></insert></Rows>')
    answer = charges.send()
    assert (answer.outcome, answer.code) == (Outcome.NOT_SENT, "TABLE")
    assert charges.rows("SELECT COUNT(*) FROM SALARIES") == [(0,)]


def test_a_row_is_new_or_changed_by_its_key(charges: Middle):
    charges.run("CREATE TABLE ORDERS (NO VARCHAR(10) PRIMARY KEY, STATE VARCHAR(2), MSG_ID VARCHAR(64))")
    charges.settings = {"database": {"tables": ["ORDERS"], "message_id": "MSG_ID"}}
    for number, state in ((1, "10"), (2, "20")):
        charges.stylesheet(f'<Rows><merge table="orders"><key><no>A1</no></key><state>{state}</state></merge></Rows>')
        assert charges.send(message_id=f"GW-{number}").is_yes
    assert charges.rows("SELECT NO, STATE, MSG_ID FROM ORDERS") == [("A1", "20", "GW-2")]


def test_a_row_that_another_column_forbids_is_refused_and_not_lost(charges: Middle):
    charges.run("CREATE TABLE ORDERS (NO VARCHAR(10) PRIMARY KEY, TUBE VARCHAR(10) UNIQUE, STATE VARCHAR(2))")
    charges.run("INSERT INTO ORDERS VALUES ('A1', 'T1', '10')")
    charges.settings = {"database": {"tables": ["ORDERS"]}, "repeats_are_safe": True}
    charges.stylesheet('<Rows><merge table="ORDERS"><key><NO>A2</NO></key><TUBE>T1</TUBE></merge></Rows>')
    answer = charges.send()
    assert (answer.outcome, answer.code) == (Outcome.FAULT, "UNIQUE")
    assert charges.rows("SELECT NO FROM ORDERS") == [("A1",)]


def test_an_update_that_finds_no_row_is_refused(charges: Middle):
    charges.stylesheet(
        '<Rows><update table="CHARGES" rows="1"><where><CHARGE_NO>C</CHARGE_NO></where><FLAG>9</FLAG></update></Rows>'
    )
    answer = charges.send()
    assert (answer.outcome, answer.code) == (Outcome.FAULT, "ROWS")
    assert answer.detail == "CHARGES: 0 rows are there to be changed instead of 1."


def test_nothing_is_written_that_could_not_be_recognised_again(charges: Middle):
    charges.settings = {"database": {"tables": ["CHARGES", "CHARGE_LINES"]}}
    answer = charges.send()
    assert (answer.outcome, answer.code) == (Outcome.FAULT, "MAPPING")
    assert "repetition" in answer.detail


def test_a_message_the_stylesheet_keeps_back_touches_nothing(charges: Middle):
    charges.stylesheet("<Rows><xsl:value-of select=\"g:skip('no need')\"/></Rows>")
    answer = charges.send("ReportStatus")
    assert answer.is_yes
    assert charges.rows("SELECT COUNT(*) FROM CHARGES") == [(0,)]


def test_what_would_be_asked_can_be_seen_without_a_connection(charges: Middle):
    partner = charges.partner({"ChargeItem": {"request": "request.xsl"}}, url="mysql://127.0.0.1:9/x")
    around = Surroundings(CONTRACT, WIRE, lambda: datetime.now(BEIJING), NoCodeTables())
    where, rows = Database(partner, around).rehearse("ChargeItem", sample("ChargeItem"), Stamp("GW-1", ORIGIN))
    assert where == "its tables"
    assert rows.startswith("<Rows")
    assert '<insert table="CHARGES">' in rows


def test_an_empty_element_is_null_unless_it_says_that_it_is_empty(charges: Middle):
    charges.run("CREATE TABLE NOTES (NO VARCHAR(10) PRIMARY KEY, A VARCHAR(5), B VARCHAR(5), C VARCHAR(5))")
    charges.settings = {"database": {"tables": ["NOTES"]}, "repeats_are_safe": True}
    charges.stylesheet(
        '<Rows><insert table="NOTES"><NO>1</NO><A/><B empty="true"/><C null="true">x</C></insert></Rows>'
    )
    assert charges.send().is_yes
    assert charges.rows("SELECT A, B, C FROM NOTES") == [(None, "", None)]
