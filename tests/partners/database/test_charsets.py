"""A character a column cannot hold is told by the column's name, and never becomes a question mark by itself."""

from dataclasses import replace

import pytest

from gateway.operations.dispatch import Outcome
from tests.partners.database.conftest import Middle
from tests.partners.fake_partner import sample

RARE = ("王𠮷祥", "䶮", "㛃")
"""Names of people in no GBK; the first in no MySQL utf8 either."""


def patients(middle: Middle, charset: str, **database: str) -> Middle:
    middle.run(f"CREATE TABLE PATIENTS (NAME VARCHAR(20), MSG_ID VARCHAR(64) UNIQUE) CHARACTER SET {charset}")
    middle.settings = {"database": {"tables": ["PATIENTS"], "message_id": "MSG_ID", **database}}
    middle.stylesheet(
        '<Rows><insert table="PATIENTS"><NAME><xsl:value-of select="Request/ReasonText"/></NAME></insert></Rows>'
    )
    return middle


def named(middle: Middle, name: str, number: int = 1):
    return middle.send("RefundItem", request=replace(sample("RefundItem"), reason_text=name), message_id=f"GW-{number}")


@pytest.mark.parametrize("name", RARE)
def test_gbk_holds_no_rare_names(mariadb_middle: Middle, name: str):
    answer = named(patients(mariadb_middle, "gbk"), name)
    assert (answer.outcome, answer.code) == (Outcome.FAULT, "CHARSET")
    assert answer.detail.startswith("PATIENTS.NAME is gbk")
    assert name not in answer.detail


def test_three_byte_utf8_holds_all_but_the_rarest(mariadb_middle: Middle):
    patients(mariadb_middle, "utf8mb3")
    assert (
        named(mariadb_middle, RARE[0]).detail
        == "PATIENTS.NAME is utf8mb3, which has not the 2nd character of the text."
    )
    assert named(mariadb_middle, RARE[1], 2).is_yes
    assert mariadb_middle.rows("SELECT NAME FROM PATIENTS") == [(RARE[1],)]


def test_gbk_holds_what_gb2312_does_not(mariadb_middle: Middle):
    patients(mariadb_middle, "gbk")
    assert named(mariadb_middle, "喆堃珺·买买提").is_yes
    assert mariadb_middle.rows("SELECT NAME FROM PATIENTS") == [("喆堃珺·买买提",)]


def test_a_character_is_replaced_only_where_the_site_says_so(mariadb_middle: Middle):
    patients(mariadb_middle, "gbk", unencodable="replace", replacement="*")
    assert named(mariadb_middle, RARE[0]).is_yes
    assert mariadb_middle.rows("SELECT NAME FROM PATIENTS") == [("王*祥",)]


def test_utf8_holds_every_name(mariadb_middle: Middle, postgresql_middle: Middle):
    patients(mariadb_middle, "utf8mb4")
    postgresql_middle.run("CREATE TABLE PATIENTS (NAME VARCHAR(20), MSG_ID VARCHAR(64) UNIQUE)")
    postgresql_middle.settings = mariadb_middle.settings
    for middle in (mariadb_middle, postgresql_middle):  # they share the folder with the stylesheet
        for number, name in enumerate(RARE):
            assert named(middle, name, number).is_yes
        assert {name for (name,) in middle.rows("SELECT NAME FROM PATIENTS")} == set(RARE)
