"""When a partner's database fails: what was not done goes again, what may have been done is looked up first."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.file_secret import FileSecret
from gateway.operations.dispatch import Outcome
from gateway.partners.addressing import Stamp
from gateway.partners.database.door import Visit
from gateway.partners.registry import Partners
from tests.partners.database import mariadb
from tests.partners.database.conftest import ORIGIN, Middle
from tests.partners.fake_partner import sample

ORDERS = "CREATE TABLE ORDERS (NO VARCHAR(10) PRIMARY KEY, STATE VARCHAR(2), MSG_ID VARCHAR(64) UNIQUE)"
INSERT = '<Rows><insert table="ORDERS"><NO>A1</NO><STATE>10</STATE></insert></Rows>'
COUNT = "SELECT COUNT(*) FROM ORDERS"

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")


@pytest.fixture
def orders(middle: Middle) -> Middle:
    """A department that takes orders from a table."""
    middle.run(ORDERS)
    middle.settings = {"database": {"tables": ["ORDERS"], "message_id": "MSG_ID"}, "connect_seconds": 2}
    middle.stylesheet(INSERT)
    return middle


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Middle]:
    """The same on a MariaDB of this test alone, which it may kill."""
    if reason := mariadb.missing():
        pytest.skip(reason)
    server = mariadb.MariaDb()
    found = Middle(server.url, mariadb.USER, mariadb.PASSWORD, server.admin(), tmp_path, server)
    found.run(ORDERS)
    found.settings = {"database": {"tables": ["ORDERS"], "message_id": "MSG_ID"}, "connect_seconds": 2}
    found.stylesheet(INSERT)
    yield found
    found.close()
    server.remove()


def asked(middle: Middle) -> Partners:
    """The gateway with its connections kept from message to message."""
    return middle.partners(middle.partner({"ChargeItem": {"request": "request.xsl"}}))


def send(partners: Partners, number: int = 1, seconds: float = 30):
    return partners.call("PACS", "ChargeItem", sample("ChargeItem"), Stamp(f"GW-{number}", ORIGIN), seconds)


def test_a_wrong_password_is_told_without_the_password(orders: Middle):
    answer = orders.send(partner=orders.partner({"ChargeItem": {"request": "request.xsl"}}, password="wr0ng-one"))
    assert answer.outcome is Outcome.NOT_SENT
    assert answer.code == "LOGIN"
    assert "wr0ng-one" not in repr(answer)


def test_a_changed_password_needs_no_restart(mortal: Middle):
    file = mortal.folder / "password"
    file.write_text(mortal.password)
    partners = mortal.partners(mortal.partner({"ChargeItem": {"request": "request.xsl"}}, password=FileSecret(file)))
    assert send(partners).is_yes
    mortal.run(f"SET PASSWORD FOR {mariadb.USER}@'127.0.0.1' = PASSWORD('another-0ne')", "DELETE FROM ORDERS")
    for (number,) in mortal.rows("SELECT ID FROM information_schema.PROCESSLIST WHERE USER = 'gateway'"):
        mortal.run(f"KILL {number}")
    assert send(partners, 2).code == "LOGIN"
    file.write_text("another-0ne")
    assert send(partners, 2).is_yes


def test_a_database_that_is_not_there_was_sent_nothing(orders: Middle):
    answer = orders.send(
        partner=orders.partner({"ChargeItem": {"request": "request.xsl"}}, url="mysql://127.0.0.1:9/x")
    )
    assert (answer.outcome, answer.code) == (Outcome.NOT_SENT, "AWAY")


def test_a_missing_driver_is_told_with_the_command_that_installs_it(orders: Middle, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(__import__("sys").modules, "oracledb", None)
    answer = orders.send(partner=orders.partner({"ChargeItem": {"request": "request.xsl"}}, url="oracle://h/x"))
    assert (answer.outcome, answer.code) == (Outcome.NOT_SENT, "DRIVER")
    assert 'pip install "hospital-gateway[oracle]"' in answer.detail


def test_a_renamed_column_is_a_matter_of_the_site_and_seen_at_once_when_it_is_mended(orders: Middle):
    partners = asked(orders)
    assert send(partners).is_yes
    orders.run("ALTER TABLE ORDERS RENAME COLUMN STATE TO STATUS", "DELETE FROM ORDERS")
    answers = [send(partners, 2) for _ in range(2)]
    assert {(answer.outcome, answer.code) for answer in answers} <= {
        (Outcome.NOT_SENT, "TABLE"),
        (Outcome.NOT_SENT, "COLUMN"),
    }
    assert answers[1].detail == "ORDERS has no column STATE." or "orders has no column" in answers[1].detail.lower()
    orders.run("ALTER TABLE ORDERS RENAME COLUMN STATUS TO STATE")
    assert send(partners, 2).is_yes


def test_a_locked_row_is_waited_for_no_longer_than_the_deadline(orders: Middle):
    orders.stylesheet('<Rows><merge table="ORDERS"><key><NO>A1</NO></key><STATE>20</STATE></merge></Rows>')
    orders.run("INSERT INTO ORDERS VALUES ('A1', '10', NULL)")
    holder = orders.own.execution_options(isolation_level="READ COMMITTED").connect()
    holder.execute(text("UPDATE ORDERS SET STATE = '99' WHERE NO = 'A1'"))
    began = time.monotonic()
    answer = orders.send(seconds=2)
    assert (answer.outcome, answer.code) in [(Outcome.NOT_SENT, "LOCKED"), (Outcome.NOT_SENT, "TIMEOUT")]
    assert time.monotonic() - began < 25
    holder.rollback()
    holder.close()
    assert orders.rows("SELECT STATE FROM ORDERS") == [("10",)]
    assert orders.send().is_yes


def test_after_a_deadlock_the_message_is_written_all_the_same(orders: Middle):
    orders.run("INSERT INTO ORDERS VALUES ('A1', '10', NULL)", "INSERT INTO ORDERS VALUES ('B1', '10', NULL)")
    first, second = (
        f'<update table="ORDERS"><where><NO>{no}</NO></where><STATE>20</STATE><MSG_ID null="true"/></update>'
        for no in ("A1", "B1")
    )
    orders.settings = orders.settings | {"repeats_are_safe": True, "database": {"tables": ["ORDERS"]}}
    orders.stylesheet(f"<Rows>{first}{second}</Rows>")
    other = orders.own.execution_options(isolation_level="READ COMMITTED").connect()
    other.execute(text("UPDATE ORDERS SET STATE = '30' WHERE NO = 'B1'"))

    def cross() -> None:
        time.sleep(0.5)
        try:
            other.execute(text("UPDATE ORDERS SET STATE = '30' WHERE NO = 'A1'"))
            other.commit()
        except Exception:
            other.rollback()

    thread = threading.Thread(target=cross)
    thread.start()
    answer = orders.send(seconds=8)
    thread.join()
    other.close()
    assert answer.is_yes
    assert orders.rows("SELECT STATE FROM ORDERS") == [("20",), ("20",)]


def test_a_commit_whose_answer_is_lost_is_unknown_and_then_found(orders: Middle, monkeypatch: pytest.MonkeyPatch):
    partners = asked(orders)
    lost = []

    def commit(visit: Visit) -> None:
        original(visit)
        if not lost:
            lost.append(True)
            visit.may_be_done = "COMMIT"
            raise ConnectionResetError

    original = Visit.commit
    monkeypatch.setattr(Visit, "commit", commit)
    answer = send(partners)
    assert (answer.outcome, answer.code) == (Outcome.UNKNOWN, "COMMIT")
    found = partners.find_booking("PACS", "ChargeItem", sample("ChargeItem"), Stamp("GW-1", ORIGIN))
    assert found is not None
    assert found.is_yes
    assert send(partners).is_yes
    assert orders.rows(COUNT) == [(1,)]


def test_a_commit_that_never_arrived_is_unknown_and_then_not_found(orders: Middle, monkeypatch: pytest.MonkeyPatch):
    partners = asked(orders)

    def commit(visit: Visit) -> None:
        visit.may_be_done = "COMMIT"
        raise ConnectionResetError

    with monkeypatch.context() as patch:
        patch.setattr(Visit, "commit", commit)
        assert send(partners).outcome is Outcome.UNKNOWN
    assert partners.find_booking("PACS", "ChargeItem", sample("ChargeItem"), Stamp("GW-1", ORIGIN)) is None
    assert send(partners).is_yes
    assert orders.rows(COUNT) == [(1,)]


def test_a_connection_that_died_in_the_pool_is_replaced(orders: Middle):
    partners = asked(orders)
    assert send(partners).is_yes
    if orders.is_mariadb:
        for (number,) in orders.rows("SELECT ID FROM information_schema.PROCESSLIST WHERE USER = 'gateway'"):
            orders.run(f"KILL {number}")
    else:
        orders.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'hospital-gateway' AND datname = current_database()"
        )
    orders.run("DELETE FROM ORDERS")
    assert send(partners, 2).is_yes


def test_a_database_killed_in_the_middle_wrote_nothing_or_all(mortal: Middle):
    partners = asked(mortal)
    assert send(partners).is_yes
    mortal.run("DELETE FROM ORDERS")
    mortal.server.kill()
    answer = send(partners, 2)
    assert (answer.outcome, answer.code) == (Outcome.NOT_SENT, "AWAY")
    mortal.server.start()
    assert send(partners, 2).is_yes
    assert mortal.rows(COUNT) == [(1,)]


def test_a_database_that_falls_silent_is_given_up_at_the_deadline(mortal: Middle):
    partners = asked(mortal)
    assert send(partners).is_yes
    mortal.server.pause()
    began = time.monotonic()
    answer = send(partners, 2, seconds=1.5)
    assert (answer.outcome, answer.code) == (Outcome.NOT_SENT, "TIMEOUT")
    assert time.monotonic() - began < 25
    mortal.server.go_on()
    mortal.run("DELETE FROM ORDERS")
    assert send(partners, 2).is_yes


def test_a_table_that_undoes_nothing_takes_no_message_of_several_rows(mariadb_middle: Middle):
    mariadb_middle.run(f"{ORDERS} ENGINE=MyISAM")
    mariadb_middle.settings = {"database": {"tables": ["ORDERS"], "message_id": "MSG_ID"}}
    mariadb_middle.stylesheet(INSERT.replace("</Rows>", '<merge table="ORDERS"><key><NO>B</NO></key></merge></Rows>'))
    answer = mariadb_middle.send()
    assert (answer.outcome, answer.code) == (Outcome.NOT_SENT, "ENGINE")
    assert mariadb_middle.rows(COUNT) == [(0,)]
