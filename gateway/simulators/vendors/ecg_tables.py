"""The database of the electrocardiogram system: a table others write their requests into, and views they may read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg

from gateway.simulators.vendors.calling import Gateway

TABLES = """
CREATE TABLE IF NOT EXISTS ecg_apply (
    apply_no varchar(50) PRIMARY KEY, patient_id varchar(50) NOT NULL, patient_name varchar(50) NOT NULL,
    sex char(1), visit_no varchar(50) NOT NULL, order_no varchar(50) NOT NULL, item_code varchar(50) NOT NULL,
    item_name varchar(200) NOT NULL, apply_time timestamp NOT NULL, state char(1) NOT NULL,
    msg_id varchar(64) NOT NULL);
CREATE TABLE IF NOT EXISTS ecg_reply (
    critical_id varchar(50) NOT NULL, reply_id varchar(50) NOT NULL, reply_type varchar(20) NOT NULL,
    reply_text varchar(2000), reply_time timestamp NOT NULL, msg_id varchar(64) NOT NULL UNIQUE,
    PRIMARY KEY (critical_id, reply_id));
CREATE TABLE IF NOT EXISTS ecg_event (
    id serial PRIMARY KEY, apply_no varchar(50) NOT NULL, state char(1) NOT NULL,
    event_time timestamp NOT NULL DEFAULT localtimestamp(0));
CREATE TABLE IF NOT EXISTS ecg_result (
    id serial PRIMARY KEY, report_no varchar(50) NOT NULL, apply_no varchar(50) NOT NULL, see text, conclusion text,
    report_time timestamp NOT NULL DEFAULT localtimestamp(0));
CREATE OR REPLACE VIEW v_ecg_status AS SELECT id, apply_no, state, event_time FROM ecg_event;
CREATE OR REPLACE VIEW v_ecg_report AS
    SELECT r.id, r.report_no, r.apply_no, a.patient_id, a.patient_name, a.sex, r.see, r.conclusion, r.report_time
    FROM ecg_result r JOIN ecg_apply a USING (apply_no);
"""
STATES = {"REGISTER": "1", "EXAM_DONE": "2", "CANCEL_REG": "0"}


class EcgTables:
    """Its own program's way to them. Another may hold a row for a moment only."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.change(TABLES)

    def change(self, statement: str, values: tuple[Any, ...] = ()) -> None:
        with self._connected() as connection:
            connection.execute(statement.encode(), values or None)

    def rows(self, table: str) -> list[dict[str, str]]:
        """What stands in a table, without whom it is about."""
        with self._connected() as connection:
            found = connection.execute(f"SELECT * FROM {table}".encode())  # noqa: S608 - one of our own names
            names = [column.name for column in found.description or ()]
            rows = [dict(zip(names, map(str, row), strict=True)) for row in found]
        return [{name: value for name, value in row.items() if name != "patient_name"} for row in rows]

    def _connected(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self._url, autocommit=True, options="-c timezone=Asia/Shanghai")


@dataclass(frozen=True, slots=True)
class Row:
    """What the system tells by a row of its own, for whoever reads its views."""

    tables: EcgTables
    statement: str
    values: tuple[str, ...]

    def deliver(self, gateway: Gateway) -> tuple[int, str]:
        self.tables.change(self.statement, self.values)
        return 200, "a row"


def status(tables: EcgTables, values: Mapping[str, Any]) -> Row:
    """That an examination has begun or is done; its own screen shows the state of the request, too."""
    number, state = str(values["requisition_no"]), STATES[str(values.get("event", "REGISTER"))]
    statement = (
        "WITH told AS (UPDATE ecg_apply SET state = %s WHERE apply_no = %s AND state <> '9' RETURNING apply_no, state) "
        "INSERT INTO ecg_event (apply_no, state) SELECT apply_no, state FROM told"
    )
    return Row(tables, statement, (state, number))


def report(tables: EcgTables, values: Mapping[str, Any]) -> Row:
    number = str(values["requisition_no"])
    statement = "INSERT INTO ecg_result (report_no, apply_no, see, conclusion) VALUES (%s, %s, %s, %s)"
    told = (
        str(values.get("report_no") or f"XD{number}"),
        number,
        "窦性心律",
        str(values.get("impression", "正常心电图")),
    )
    return Row(tables, statement, told)
