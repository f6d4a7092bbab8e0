"""What the partner's tables are really like, asked of its database and remembered for a while.

Names come from settings and stylesheets and are looked up here, whatever case they are written in: a statement is only
made with tables and columns that were found, so that no text of a message can become SQL.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import timezone
from threading import Lock
from typing import Any

from sqlalchemy import Column, Connection, MetaData, Table, inspect, text
from sqlalchemy.exc import DBAPIError, NoSuchTableError

from gateway.database_config import DatabaseAccess
from gateway.partners.database.failures import Misfit
from gateway.partners.database.values import Habits, zone_of

REMEMBERED_SECONDS = 300.0
WITHOUT_TRANSACTIONS = frozenset({"myisam", "aria", "memory", "csv", "merge"})
_CHARSETS = {
    "postgresql": "SHOW server_encoding",
    "mysql": "SELECT @@character_set_database",
    "oracle": "SELECT value FROM nls_database_parameters WHERE parameter = 'NLS_CHARACTERSET'",
    "mssql": "SELECT CAST(COLLATIONPROPERTY(CAST(DATABASEPROPERTYEX(DB_NAME(), 'Collation') AS nvarchar(128)), "
    "'CodePage') AS nvarchar(10))",
}
_COLUMN_CHARSETS = text(
    "SELECT column_name, character_set_name FROM information_schema.columns "
    "WHERE table_schema = COALESCE(:schema, DATABASE()) AND table_name = :name"
)
_CODE_PAGES = {"936": "gbk", "54936": "gb18030", "950": "big5", "65001": "utf8mb4", "1252": "latin1"}


class Tables:
    """The tables of one partner; any number of threads may ask."""

    def __init__(self, access: DatabaseAccess, kind: str, zone: timezone, extra: Sequence[str] = ()) -> None:
        self._access = access
        self._kind = kind
        self._zone = zone
        self._allowed = {name.casefold(): name for name in (*access.tables, *extra)}
        self._known: dict[str, Table] = {}
        self._habits: Habits | None = None
        self._asked_at = 0.0
        self._lock = Lock()

    def forget(self) -> None:
        """Ask anew the next time: something was not as remembered."""
        with self._lock:
            self._known, self._habits = {}, None

    def table(self, connection: Connection, name: str) -> Table:
        """The table or view of that name. Raises Misfit when the settings do not name it, or it is not there."""
        wanted = self._allowed.get(name.casefold())
        if wanted is None:
            raise Misfit("TABLE", f"The table {name} stands neither in database.tables nor in a poll of partner.toml.")
        with self._lock:
            if time.monotonic() - self._asked_at > REMEMBERED_SECONDS:
                self._known, self._habits, self._asked_at = {}, None, time.monotonic()
            found = self._known.get(wanted)
        if found is None:
            found = _reflected(connection, wanted)
            with self._lock:
                self._known[wanted] = found
        return found

    def habits(self, connection: Connection) -> Habits:
        """How the database keeps texts and times, by what it says and what the settings say."""
        with self._lock:
            if self._habits is not None:
                return self._habits
        access, charset = self._access, self._access.charset
        found = {"utf-8": "utf8mb4", "latin-1": "latin1"}.get(charset, charset) if charset else self._asked(connection)
        counted = access.lengths == "bytes" if access.lengths else self._kind in ("oracle", "mssql")
        habits = Habits(
            kind=self._kind,
            zone=zone_of(access.utc, self._zone),
            charset=found,
            bytes_counted=counted,
            replacement=access.replacement if access.unencodable == "replace" else None,
            empty_is_null=access.empty == "null",
        )
        with self._lock:
            self._habits = habits
        return habits

    def _asked(self, connection: Connection) -> str:
        with suppress(DBAPIError):
            said = str(connection.execute(text(_CHARSETS[self._kind])).scalar() or "").lower()
            if self._kind == "postgresql" and said == "utf8":
                return "utf8mb4"  # whole UTF-8, which only MySQL means by another name
            return _CODE_PAGES.get(said, said)
        return "utf8mb4"


def _reflected(connection: Connection, name: str) -> Table:
    schema, _, plain = name.rpartition(".")
    more: dict[str, Any] = {"oracle_resolve_synonyms": True} if connection.dialect.name == "oracle" else {}
    for spelling in dict.fromkeys((plain, plain.lower(), plain.upper())):
        with suppress(NoSuchTableError):
            found: Table = Table(
                spelling, MetaData(), schema=schema or None, autoload_with=connection, resolve_fks=False, **more
            )
            if connection.dialect.name in ("mysql", "mariadb"):
                _note_charsets(connection, found)
            return found
    raise Misfit("TABLE", f"The partner's database shows the gateway's user no table or view {name}.")


def _note_charsets(connection: Connection, table: Table) -> None:
    """The charset of each text column, which SQLAlchemy leaves out for MySQL."""
    rows = connection.execute(_COLUMN_CHARSETS, {"schema": table.schema, "name": table.name})
    for name, charset in rows:
        if charset is not None and name in table.columns:
            table.columns[name].info["charset"] = str(charset).lower()


def column(table: Table, name: str) -> Column[Any]:
    """A column by its name in any case. Raises Misfit."""
    found = table.columns.get(name)
    if found is None:
        found = next((one for one in table.columns if one.name.casefold() == name.casefold()), None)
    if found is None:
        raise Misfit("COLUMN", f"{table.name} has no column {name}.")
    return found


def has_column(table: Table, name: str) -> bool:
    return any(one.name.casefold() == name.casefold() for one in table.columns)


def must_be_given(one: Column[Any]) -> bool:
    """Whether a new row cannot do without a value for it."""
    numbered = one.identity is not None or one.autoincrement is True
    if one.autoincrement == "auto" and one.primary_key and one.table.autoincrement_column is one:
        numbered = True
    return not (one.nullable or numbered or one.server_default is not None or one.computed is not None)


def undoes_nothing(table: Table) -> bool:
    """Whether it is kept by an engine of MySQL without transactions."""
    engine = table.kwargs.get("mysql_engine") or table.kwargs.get("mariadb_engine")
    return str(engine or "").lower() in WITHOUT_TRANSACTIONS


def is_unique(connection: Connection, table: Table, name: str) -> bool:
    """Whether no two rows can have the same value in a column."""
    wanted = column(table, name).name
    if [one.name for one in table.primary_key.columns] == [wanted]:
        return True
    inspector = inspect(connection)
    indexes = inspector.get_indexes(table.name, schema=table.schema)
    constraints = inspector.get_unique_constraints(table.name, schema=table.schema)
    return any(one.get("unique") and one["column_names"] == [wanted] for one in indexes) or any(
        one["column_names"] == [wanted] for one in constraints
    )
