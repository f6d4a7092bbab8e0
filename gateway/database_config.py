"""How a partner is used that offers its database instead of SOAP: tables it gives us to write, views it lets us read.

The tables [database] and [[polls]] of its partner.toml; docs/databases.md describes them.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, model_validator

from gateway.strict import Identifier, Strict

Name = Annotated[str, Field(min_length=1, max_length=128)]
"""Of a table, view, column or procedure, as the partner's database has it; a table may stand as schema.table."""
Charset = Literal["utf-8", "gb18030", "gbk", "gb2312", "big5", "latin-1"]
KINDS = {
    "postgresql": "psycopg",
    "mysql": "pymysql",
    "mariadb": "pymysql",
    "oracle": "oracledb",
    "mssql": "pymssql",
}
"""Kind of database -> the driver that is taken when the address names none."""
ADDRESS = re.compile(r"(?P<kind>[a-z]+)(\+(?P<driver>[a-z0-9]+))?$")


class Parameter(Strict):
    """One parameter of a stored procedure."""

    name: Annotated[str, Field(pattern=r"^@?[A-Za-z][A-Za-z0-9_$#]{0,127}$")]
    way: Literal["in", "out", "inout"] = "in"
    type: Literal["text", "integer", "decimal", "datetime"] = "text"
    length: int = Field(default=4000, ge=1, le=4000)
    """The room for a text that comes out."""


class Procedure(Strict):
    """A stored procedure the gateway may call, with its parameters in their order."""

    parameters: tuple[Parameter, ...] = ()


class DatabaseAccess(Strict):
    """What the gateway may touch in a partner's database: the table [database]."""

    tables: tuple[Name, ...] = ()
    """Tables and views stylesheets may name; a message can reach no other."""
    procedures: dict[str, Procedure] = {}
    message_id: Name | None = None
    """The column for our MessageId, by which a repetition is recognised; it should be unique."""
    charset: Charset | None = None
    """What the database's text columns hold, where that cannot be found out."""
    unencodable: Literal["refuse", "replace"] = "refuse"
    """What becomes of a character such a column cannot hold."""
    replacement: Annotated[str, Field(pattern=r"^[ -~]$")] = "?"
    lengths: Literal["characters", "bytes"] | None = None
    """What the length of a text column counts, where that cannot be found out."""
    empty: Literal["null", "text"] = "null"
    """What an empty element is written as."""
    utc: bool = False
    """True when its plain date columns hold UTC; else they hold hospital time."""


class Detail(Strict):
    """Rows of a second table that belong to a polled row."""

    table: Name
    columns: tuple[Name, ...] = Field(min_length=1)
    match: dict[str, str] = Field(min_length=1)
    """Column of this table -> column of the polled row."""
    order: tuple[Name, ...] = ()


class Mark(Strict):
    """What is written into a polled row once it is taken."""

    column: Name
    unread: str = "0"
    taken: str = "1"
    refused: str | None = None
    """Written when the row is refused; it stays unread when absent."""


class Poll(Strict):
    """One table or view that is read again and again: a table [[polls]]."""

    name: Identifier
    table: Name
    operation: str
    """What each row becomes."""
    stylesheet: Annotated[str, Field(min_length=1, max_length=200)]
    """From the row to the operation's request; beside partner.toml."""
    key: Name
    """The column that names a row and never changes."""
    by: Literal["key", "time", "mark"] = "key"
    """How new rows are told: by a growing key, by a time, or by a mark they bear until they are taken."""
    time: Name | None = None
    version: Name | None = None
    """The column that tells a changed row from the same row read again; `time` when that is named."""
    columns: tuple[Name, ...] = Field(min_length=1)
    """Which the stylesheet gets; no other leaves the database."""
    where: dict[str, str | int | tuple[str | int, ...]] = {}
    """Only rows with these values."""
    details: tuple[Detail, ...] = ()
    start: str | None = None
    """Where reading begins: "beginning", "now", or the last key or time that is not wanted; not when by a mark."""
    again_rows: int = Field(default=100, ge=0, le=10_000)
    """By key: how many of the last rows are looked at again, for one that was committed late with a lower key."""
    again_minutes: float = Field(default=10, ge=0, le=10_080)
    """By time: how far back it is looked again."""
    every_seconds: float = Field(default=5, ge=0.2, le=86_400)
    batch: int = Field(default=100, ge=1, le=5000)
    """How many rows one question asks for."""
    rate_per_second: float = Field(default=20, gt=0, le=1000)
    tries: int = Field(default=10, ge=1, le=1000)
    """How often a row is tried that the gateway cannot take yet, before it is parked."""
    trim: bool = True
    """Whether spaces at the end of texts are left out, as fixed columns have them."""
    mark: Mark | None = None
    answer: dict[str, Literal["code", "text", "transaction", "time"]] = {}
    """Column of the row -> what is written back into it."""

    @model_validator(mode="after")
    def _fits_together(self) -> Poll:
        if self.by == "mark" and self.mark is None:
            raise ValueError('by = "mark" needs a table [polls.mark]')
        if (self.by == "time") != (self.time is not None):
            raise ValueError('time is the column of by = "time", and that needs it')
        if (self.by == "mark") != (self.start is None):
            raise ValueError('start must say where reading begins: "beginning", "now" or a value; not with by = "mark"')
        return self

    @property
    def version_column(self) -> str | None:
        return self.version or self.time
