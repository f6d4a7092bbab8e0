"""Stored procedures are called, answers in rows are waited for, and records are read from views."""

import threading
import time
from dataclasses import replace

import pytest

from gateway.operations.dispatch import Outcome
from gateway.partners.addressing import Stamp
from tests.partners.database.conftest import ORIGIN, Middle
from tests.partners.fake_partner import sample

PROCEDURES = {
    "P_CHARGE": {
        "parameters": [
            {"name": "P_NO"},
            {"name": "P_AMOUNT", "type": "decimal"},
            {"name": "P_RESULT", "way": "out", "type": "integer"},
            {"name": "P_TEXT", "way": "out", "length": 40},
        ]
    }
}
POSTGRESQL = """CREATE PROCEDURE P_CHARGE(P_NO text, P_AMOUNT numeric, OUT P_RESULT bigint, OUT P_TEXT text)
LANGUAGE plpgsql AS $$ BEGIN
    IF P_AMOUNT > 100 THEN P_RESULT := 7; P_TEXT := 'too much'; RETURN; END IF;
    IF P_AMOUNT = 66 THEN RAISE EXCEPTION 'the books are closed'; END IF;
    INSERT INTO CHARGED VALUES (P_NO, P_AMOUNT); P_RESULT := 0; P_TEXT := 'ok';
END $$"""
MARIADB = """CREATE PROCEDURE P_CHARGE(
    P_NO VARCHAR(40), P_AMOUNT DECIMAL(10,2), OUT P_RESULT INT, OUT P_TEXT VARCHAR(40))
BEGIN
    IF P_AMOUNT > 100 THEN SET P_RESULT = 7, P_TEXT = 'too much';
    ELSE
        IF P_AMOUNT = 66 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'the books are closed'; END IF;
        INSERT INTO CHARGED VALUES (P_NO, P_AMOUNT); SET P_RESULT = 0, P_TEXT = 'ok';
    END IF;
END"""
CALL = """<Rows><known table="CHARGED"><where><NO><xsl:value-of select="Request/ChargeNo"/></NO></where></known>
    <call procedure="p_charge">
    <P_NO><xsl:value-of select="Request/ChargeNo"/></P_NO><P_AMOUNT>{amount}</P_AMOUNT></call>
    </Rows>"""
SUCCESS = {
    "xpath": "string(/Answer/Call/P_RESULT | /Answer/Known/NO)",
    "accepted": ["0", sample("ChargeItem").charge_no],
    "refused": ["*"],
    "message": "string(/Answer/Call/P_TEXT)",
}


@pytest.fixture
def billing(middle: Middle) -> Middle:
    """A HIS that charges by a stored procedure."""
    middle.run("CREATE TABLE CHARGED (NO VARCHAR(40) PRIMARY KEY, AMOUNT DECIMAL(10,2))")
    middle.run(MARIADB if middle.is_mariadb else POSTGRESQL)
    middle.settings = {"database": {"tables": ["CHARGED"], "procedures": PROCEDURES}}
    return middle


def charge(billing: Middle, amount: str):
    billing.stylesheet(CALL.format(amount=amount))
    operation = {"request": "request.xsl", "success": SUCCESS}
    return billing.send(partner=billing.partner({"ChargeItem": operation}))


def test_a_charge_is_booked_by_a_procedure_once(billing: Middle):
    assert [charge(billing, "12.50").code for _ in range(2)] == ["0", "0"]
    assert billing.rows("SELECT COUNT(*) FROM CHARGED") == [(1,)]


def test_a_procedure_may_say_no_in_its_own_words(billing: Middle):
    answer = charge(billing, "120")
    assert (answer.outcome, answer.code, answer.text) == (Outcome.ANSWERED, "7", "too much")
    assert billing.rows("SELECT COUNT(*) FROM CHARGED") == [(0,)]


def test_a_procedure_that_raises_has_refused(billing: Middle):
    answer = charge(billing, "66")
    assert (answer.outcome, answer.code, answer.text) == (Outcome.FAULT, "REFUSED", "the books are closed")


def test_a_procedure_the_settings_do_not_name_is_not_called(billing: Middle):
    billing.settings = {"database": {"tables": ["CHARGED"]}}
    answer = charge(billing, "1")
    assert (answer.outcome, answer.code) == (Outcome.NOT_SENT, "TABLE")


AWAIT = """<Rows><insert table="ORDERS"><NO>A1</NO></insert><await table="ORDERS" until="FLAG" every="0.2">
    <values>1 2</values><columns>MSG</columns><where><NO>A1</NO></where></await></Rows>"""
ANSWERED = {"xpath": "string(//FLAG)", "accepted": ["1"], "refused": ["2"], "message": "string(//MSG)"}


@pytest.fixture
def ordering(middle: Middle) -> Middle:
    """A department whose program answers in the row."""
    middle.run(
        "CREATE TABLE ORDERS (NO VARCHAR(10) PRIMARY KEY, FLAG CHAR(2) NOT NULL DEFAULT '0', MSG VARCHAR(40), "
        "MSG_ID VARCHAR(64) UNIQUE)"
    )
    middle.settings = {
        "database": {"tables": ["ORDERS"], "message_id": "MSG_ID"},
        "operations": {"ChargeItem": {"request": "request.xsl", "success": ANSWERED}},
    }
    middle.stylesheet(AWAIT)
    return middle


@pytest.mark.parametrize(("flag", "code", "text"), [("1", "0", "成功"), ("2", "2", "no such bed")])
def test_the_answer_of_the_partners_program_is_waited_for(ordering: Middle, flag: str, code: str, text: str):
    def answer() -> None:
        while not ordering.rows("SELECT NO FROM ORDERS"):
            time.sleep(0.05)
        ordering.run(f"UPDATE ORDERS SET FLAG = '{flag}', MSG = '{'' if flag == '1' else text}'")

    thread = threading.Thread(target=answer)
    thread.start()
    got = ordering.partners(ordering.partner(ordering.settings["operations"])).call(
        "PACS", "ChargeItem", sample("ChargeItem"), Stamp("GW-1", ORIGIN), 8
    )
    thread.join()
    assert (got.outcome, got.code, got.text or got.response.result.result_text) == (Outcome.ANSWERED, code, text)


def test_an_answer_that_does_not_come_is_unknown_and_asked_for_without_writing_again(ordering: Middle):
    partners = ordering.partners(ordering.partner(ordering.settings["operations"]))
    asked = ("PACS", "ChargeItem", sample("ChargeItem"), Stamp("GW-1", ORIGIN))
    answer = partners.call(*asked, 2)
    assert (answer.outcome, answer.code) == (Outcome.UNKNOWN, "AWAITED")
    found = partners.find_booking(*asked)
    assert found is not None
    assert (found.outcome, found.code) == (Outcome.UNKNOWN, "AWAITED")
    ordering.run("UPDATE ORDERS SET FLAG = '1'")
    found = partners.find_booking(*asked)
    assert found is not None
    assert found.is_yes
    assert partners.call(*asked, 8).is_yes
    assert ordering.rows("SELECT COUNT(*) FROM ORDERS") == [(1,)]


def test_a_department_reads_requisitions_from_a_view(middle: Middle):
    middle.run(
        "CREATE TABLE T (VISIT VARCHAR(20), NO VARCHAR(20), SECRET VARCHAR(10))",
        "INSERT INTO T VALUES ('V1', 'R2', 'x'), ('V1', 'R1', 'x'), ('V2', 'R3', 'x')",
        "CREATE VIEW V_TRANSACTIONS AS SELECT VISIT, NO, SECRET FROM T",
    )
    middle.settings = {"database": {"tables": ["V_TRANSACTIONS"]}}
    middle.stylesheet(
        '<Rows><select table="V_TRANSACTIONS" limit="2"><columns>NO</columns>'
        '<where><VISIT><xsl:value-of select="Request/VisitNo"/></VISIT></where><order>NO</order></select></Rows>'
    )
    middle.stylesheet(
        "<Response><TotalCount><xsl:value-of select='count(Answer/Rows/Row)'/></TotalCount>"
        "<xsl:if test='Answer//SECRET'>leaked</xsl:if></Response>",
        "response.xsl",
    )
    operations = {"QueryRequisition": {"request": "request.xsl", "response": "response.xsl"}}
    request = replace(sample("QueryRequisition"), visit_no="V1")
    answer = middle.partners(middle.partner(operations)).call(
        "PACS", "QueryRequisition", request, Stamp("GW-1", ORIGIN), 5
    )
    assert answer.is_yes, answer
    assert answer.response.total_count == 2


def test_a_condition_with_sql_in_it_finds_nothing(middle: Middle):
    middle.run("CREATE TABLE T (VISIT VARCHAR(60), NO VARCHAR(20))", "INSERT INTO T VALUES ('V1', 'R1')")
    middle.settings = {"database": {"tables": ["T"]}}
    middle.stylesheet(
        '<Rows><select table="T"><columns>NO</columns>'
        "<where><VISIT op='begins'><xsl:value-of select=\"Request/VisitNo\"/></VISIT></where></select></Rows>"
    )
    rule = {"xpath": "string(count(//Row))", "accepted": ["0"], "refused": ["*"]}
    operations = {"QueryRequisition": {"request": "request.xsl", "success": rule}}
    for text in ("x'OR/**/'1'='1", "%", "_1"):
        answer = middle.partners(middle.partner(operations)).call(
            "PACS", "QueryRequisition", replace(sample("QueryRequisition"), visit_no=text), Stamp("GW-1", ORIGIN), 5
        )
        assert answer.is_yes, (text, answer)
