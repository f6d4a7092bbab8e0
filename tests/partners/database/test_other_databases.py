"""Oracle and SQL Server cannot be run here: every kind of statement compiles for them, with all values bound."""

from decimal import Decimal

import pytest
from sqlalchemy import CHAR, Column, DateTime, Integer, MetaData, Numeric, String, Table, insert, update
from sqlalchemy.dialects import mssql, oracle

from gateway.database_config import Parameter
from gateway.partners.database.rows import Cell, Select
from gateway.partners.database.statements import after, condition, invocation, row_values, selection
from gateway.partners.database.values import Habits
from tests.partners.database.conftest import BEIJING

DIALECTS = {"oracle": oracle.dialect(), "mssql": mssql.dialect()}
ORDERS = Table(
    "ORDERS",
    MetaData(),
    Column("NO", String(20), primary_key=True, autoincrement=False),
    Column("NAME", String(6)),
    Column("AMOUNT", Numeric(10, 2)),
    Column("AT", DateTime),
    Column("SEQ", Integer),
    Column("FLAG", CHAR(1)),
    schema="HIS",
)
HOSTILE = "x' OR 1=1 --"
PARAMETERS = (
    Parameter(name="P_NO"),
    Parameter(name="P_AMOUNT", type="decimal", way="inout"),
    Parameter(name="P_RESULT", type="integer", way="out"),
)


def habits(kind: str) -> Habits:
    return Habits(kind=kind, zone=BEIJING, charset="gbk", bytes_counted=True)


def compiled(kind: str, statement: object) -> str:
    text = " ".join(str(statement.compile(dialect=DIALECTS[kind])).split())  # type: ignore[attr-defined]
    assert HOSTILE not in text
    return text


@pytest.mark.parametrize("kind", DIALECTS)
def test_rows_are_written(kind: str):
    cells = [Cell("NO", HOSTILE), Cell("amount", "1.50"), Cell("AT", "2026-11-28T08:00:00+08:00")]
    values = row_values(ORDERS, cells, habits(kind), is_new=True)
    assert values["AMOUNT"] == Decimal("1.50")
    assert 'INSERT INTO "HIS"."ORDERS"' in compiled(kind, insert(ORDERS).values(values)).replace("[", '"').replace(
        "]", '"'
    )
    where = condition(ORDERS, [Cell("NO", HOSTILE), Cell("FLAG", None)], habits(kind))
    assert "IS NULL" in compiled(kind, update(ORDERS).where(where).values(values))


@pytest.mark.parametrize(("kind", "limit"), [("oracle", "FETCH FIRST"), ("mssql", "TOP")])
def test_rows_are_read_page_by_page(kind: str, limit: str):
    wanted = Select("ORDERS", (Cell("NAME", HOSTILE, operator="begins"),), ("NO", "NAME"), ("-AT", "NO"), 50)
    query, names = selection(ORDERS, wanted, habits(kind))
    text = compiled(kind, query.where(after([ORDERS.c.AT, ORDERS.c.NO], ["2026-11-28", HOSTILE])))
    assert limit in text
    assert "ESCAPE '/'" in text
    assert names == ("NO", "NAME")


def test_oracle_calls_procedures_by_the_names_of_their_parameters():
    call = invocation("oracle", "PKG.P_CHARGE", PARAMETERS, {"P_NO": HOSTILE, "P_AMOUNT": Decimal(1)})
    assert compiled("oracle", call.statement) == (
        "BEGIN PKG.P_CHARGE(P_NO => :p0, P_AMOUNT => :p1, P_RESULT => :p2); END;"
    )
    assert call.values == {"p0": HOSTILE, "p1": Decimal(1), "p2": None}


def test_sql_server_calls_procedures_with_output_parameters():
    call = invocation("mssql", "dbo.P_CHARGE", PARAMETERS, {"P_NO": HOSTILE, "P_AMOUNT": Decimal(1)})
    text = compiled("mssql", call.statement)
    assert "EXEC [dbo].[P_CHARGE] @P_NO = :p0, @P_AMOUNT = @gw1 OUTPUT, @P_RESULT = @gw2 OUTPUT;" in text
    assert text.endswith("SELECT @gw1 AS [P_AMOUNT], @gw2 AS [P_RESULT];")


@pytest.mark.parametrize("kind", DIALECTS)
def test_the_length_of_a_text_column_counts_bytes(kind: str):
    with pytest.raises(Exception, match=r"ORDERS\.NAME takes 6 bytes, and the text has 8"):
        row_values(ORDERS, [Cell("NO", "1"), Cell("NAME", "一二三四")], habits(kind), is_new=True)


def test_the_name_of_a_procedure_cannot_leave_its_quotes():
    assert "[dbo].[P; DROP TABLE X--]" in str(invocation("mssql", "dbo.P]; DROP TABLE X--", (), {}).statement)
