"""What an error of a partner's database means: nothing was done and it may go later, or never, or nobody knows.

As long as the commit was not asked for, a database that loses its client undoes everything by itself, so the request
was certainly not carried out. A stored procedure may commit inside; then only an answer counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from gateway.mapping.codes import Unmapped, UnmappedPolicy
from gateway.mapping.errors import MappingFailed, StylesheetBroken
from gateway.operations.dispatch import MAPPING, UNMAPPED, MissingCode, Outcome, PartnerAnswer


class DriverMissing(Exception):
    """The driver of this kind of database is not installed; the text says how to."""


class OutOfTime(Exception):
    """The database did not even answer that it is there before the deadline."""


class Unfit(Exception):
    """The request does not fit the partner's tables; the text names table and column, never a value."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(words)
        self.code = code


class Misfit(Unfit):
    """Stylesheet or settings do not fit the partner's tables: a matter of the site, not of the message."""


class NoTransactions(Misfit):
    """Several rows would go into a table whose engine undoes nothing."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """An error of the database, told in a word."""

    code: str
    outcome: Outcome


_RETRY, _NEVER = Outcome.NOT_SENT, Outcome.FAULT
TROUBLES = {
    "LOGIN": _RETRY,  # wrong password, locked account, unknown database
    "AWAY": _RETRY,  # stopped, starting, no room for another connection
    "LOCKED": _RETRY,  # deadlock, or somebody holds the row or table
    "TIMEOUT": _RETRY,
    "TABLE": _RETRY,  # a table, column or procedure is not there (any more)
    "RIGHTS": _RETRY,
    "READ-ONLY": _RETRY,
    "FULL": _RETRY,
    "UNIQUE": _NEVER,
    "CONSTRAINT": _NEVER,
    "DATA": _NEVER,
    "REFUSED": _NEVER,  # by a trigger or procedure of the partner
}
EXPLAINED = {
    "DRIVER": ("The driver of the partner's kind of database is not installed.", "the detail says how to install it"),
    "LOGIN": (
        "The partner's database refuses our user, or there is no database of that name.",
        "user, password, `url`",
    ),
    "AWAY": ("The partner's database does not answer, is starting, or has no room for a connection.", "the partner"),
    "LOCKED": ("Somebody holds the row or table, or a deadlock. Nothing was written.", "the partner's program"),
    "TABLE": ("A table, column or procedure is not there, or the settings do not name it.", "the detail; [database]"),
    "COLUMN": ("A table has not the column a stylesheet names.", "the detail; the stylesheet, the partner's table"),
    "RIGHTS": ("Our user may not do that in the partner's database.", "the partner's administrator: GRANT"),
    "READ-ONLY": ("The partner's database takes no changes: a replica, or in maintenance.", "`url`; the partner"),
    "FULL": ("The partner's disk or table space is full.", "the partner"),
    "ENGINE": (
        "Several rows would go into a table of MySQL that keeps no transactions.",
        "ALTER TABLE ... ENGINE=InnoDB",
    ),
    "START": ("`start` or the position of a poll is no value of its column.", "[[polls]]"),
    "UNIQUE": ("A row with that key is there already, and it is not this message's.", "the partner's table"),
    "CONSTRAINT": ("The partner's database refuses the row by a rule of its table.", "the partner's table"),
    "DATA": ("A value is of another kind than its column, or too large for it.", "the detail; the stylesheet"),
    "TOO-LONG": ("A text is longer than its column. It is never cut.", "the detail; the stylesheet"),
    "CHARSET": ("A column cannot hold a character, such as 𠮷 in MySQL's utf8.", "the column; `unencodable`"),
    "MISSING": ("A column that must have a value gets none.", "the detail; the stylesheet"),
    "ROWS": ("An update met more or fewer rows than the stylesheet wants.", "the partner's table"),
    "COMMIT": ("The answer to the commit was lost: it is looked up before it is written again.", "nothing"),
    "CALL": ("The answer of a stored procedure was lost; it may have committed by itself.", "the partner's procedure"),
    "AWAITED": ("It is written, and the partner's program has not answered in its row yet.", "the partner's program"),
    "SQL-…": ("An error of the partner's database under its own number. Nothing was written.", "its manual"),
}
"""Code of an attempt -> what happened, and where to look; in docs/specification/failures.md."""

_POSTGRESQL = {
    "28": "LOGIN",
    "3D": "LOGIN",
    "08": "AWAY",
    "57": "AWAY",
    "53": "AWAY",
    "57014": "TIMEOUT",
    "53100": "FULL",
    "40": "LOCKED",
    "55P03": "LOCKED",
    "42": "TABLE",
    "42501": "RIGHTS",
    "25006": "READ-ONLY",
    "P0001": "REFUSED",
    "23": "CONSTRAINT",
    "23505": "UNIQUE",
    "22": "DATA",
}
_NUMBERS: dict[str, dict[str, tuple[int, ...]]] = {
    "mysql": {
        "LOGIN": (1044, 1045, 1049, 1698, 1862),
        "AWAY": (0, 1040, 1053, 1203, 1927, 2002, 2003, 2005, 2006, 2013, 2055, 4031),
        "LOCKED": (1205, 1213, 3572),
        "TIMEOUT": (1317, 1969, 3024),
        "TABLE": (1054, 1146, 1305, 1318, 1370),
        "RIGHTS": (1142, 1143, 1227),
        "READ-ONLY": (1290, 1836),
        "FULL": (1021, 1114, 3675),
        "UNIQUE": (1062, 1586),
        "CONSTRAINT": (1048, 1364, 1451, 1452, 3819, 4025),
        "DATA": (1264, 1265, 1292, 1366, 1406, 1411, 1690),
        "REFUSED": (1644,),
    },
    "oracle": {
        "LOGIN": (1005, 1017, 28000, 28001, 12514, 12505),
        "AWAY": (28, 1012, 1033, 1034, 1089, 1090, 3113, 3114, 3135, 12170, 12541, 12528, 12537, 12547, 18, 20),
        "LOCKED": (54, 60, 104, 4021, 8177, 30006),
        "TIMEOUT": (1013, 3136, 3156),
        "TABLE": (904, 942, 4043, 6550, 6575),
        "RIGHTS": (1031, 1950),
        "READ-ONLY": (16000,),
        "FULL": (1536, 1653, 1654, 1683, 30036),
        "UNIQUE": (1,),
        "CONSTRAINT": (1400, 1407, 2290, 2291, 2292),
        "DATA": (1401, 1438, 1722, 1830, 1840, 1843, 1847, 1858, 1861, 6502, 12899),
    },
    "mssql": {
        "LOGIN": (4060, 18452, 18456, 18470, 18487, 18488),
        "AWAY": (6005, 17142, 20002, 20004, 20006, 20009, 20047),
        "LOCKED": (1205, 1222, 3960),
        "TIMEOUT": (20003,),
        "TABLE": (207, 208, 201, 2812, 8144, 8145),
        "RIGHTS": (229, 230, 262),
        "READ-ONLY": (3906, 3908),
        "FULL": (1101, 1105, 9002),
        "UNIQUE": (2601, 2627),
        "CONSTRAINT": (515, 547),
        "DATA": (220, 241, 242, 245, 2628, 8114, 8115, 8152),
    },
}
_LOGIN = re.compile(r"authentication failed|pg_hba\.conf|(role|database) \".*\" does not exist", re.IGNORECASE)
"""PostgreSQL's driver tells no number for what is wrong while it connects."""
_RAISED = {"oracle": range(20000, 21000), "mssql": range(50000, 2**31)}
"""Numbers by which procedures and triggers refuse in their own words."""


def number_of(problem: DBAPIError) -> str:
    """The database's own number of an error: SQLSTATE of PostgreSQL, else digits; empty when it has none."""
    original: Any = problem.orig
    first = original.args[0] if original is not None and original.args else None
    first = getattr(first, "code", first)  # of Oracle
    if isinstance(first, tuple) and first:
        first = first[0]  # of SQL Server
    return str(first) if isinstance(first, int) else str(getattr(original, "sqlstate", None) or "")


def trouble(kind: str, problem: DBAPIError) -> Trouble:
    """What the database says with this error."""
    number = number_of(problem)
    code = _POSTGRESQL.get(number) or _POSTGRESQL.get(number[:2]) if kind == "postgresql" else _by_number(kind, number)
    if code is None and kind == "postgresql" and not number and _LOGIN.search(str(problem.orig)):
        code = "LOGIN"
    if code is None and (problem.connection_invalidated or isinstance(problem, InterfaceError)):
        code = "AWAY"
    if code is None and isinstance(problem, OperationalError) and not number:
        code = "AWAY"
    if code is None and isinstance(problem, IntegrityError):
        code = "CONSTRAINT"
    if code is None:
        return Trouble(f"SQL-{number or 'ERROR'}", Outcome.NOT_SENT)
    return Trouble(code, TROUBLES[code])


def _by_number(kind: str, number: str) -> str | None:
    if not number.isdigit():
        return None
    digits = int(number)
    found = next((code for code, numbers in _NUMBERS[kind].items() if digits in numbers), None)
    return found or ("REFUSED" if digits in _RAISED.get(kind, ()) else None)


def is_lost(problem: DBAPIError, kind: str) -> bool:
    """Whether the database's last word is not known: the connection went while it was waited for."""
    return problem.connection_invalidated or trouble(kind, problem).code in ("AWAY", "TIMEOUT")


def told_as_answer(problem: Exception, kind: str, *, timed_out: bool, may_be_done: str = "") -> PartnerAnswer:
    """The outcome of a visit that ended with this exception; `may_be_done` names what may have taken effect by then.

    Of the database's own text nothing is told but what a procedure says to refuse: it may hold a value.
    """
    if isinstance(problem, DriverMissing):
        return PartnerAnswer(Outcome.NOT_SENT, "DRIVER", detail=str(problem))
    if isinstance(problem, StylesheetBroken):
        return PartnerAnswer(Outcome.NOT_SENT, "STYLESHEET", detail=str(problem))
    if isinstance(problem, Misfit):
        return PartnerAnswer(Outcome.NOT_SENT, problem.code, detail=str(problem))
    if isinstance(problem, Unfit):
        return PartnerAnswer(Outcome.FAULT, problem.code, detail=str(problem))
    if isinstance(problem, Unmapped):
        outcome = Outcome.NOT_SENT if problem.policy is UnmappedPolicy.PARK else Outcome.FAULT
        missing = MissingCode(problem.table, problem.value)
        return PartnerAnswer(outcome, UNMAPPED, detail=str(problem), missing=missing)
    if isinstance(problem, MappingFailed):
        return PartnerAnswer(Outcome.FAULT, MAPPING, detail=str(problem))
    if isinstance(problem, OutOfTime):
        return PartnerAnswer(Outcome.NOT_SENT, "TIMEOUT")
    if isinstance(problem, PoolTimeout):
        return PartnerAnswer(Outcome.NOT_SENT, "BUSY")
    if isinstance(problem, DBAPIError):
        return _of_database(problem, kind, timed_out, may_be_done)
    if may_be_done:
        return PartnerAnswer(Outcome.UNKNOWN, may_be_done)
    wrong = not isinstance(problem, SQLAlchemyError | OSError)
    return PartnerAnswer(Outcome.NOT_SENT, "INTERNAL" if wrong else "AWAY")


def _of_database(problem: DBAPIError, kind: str, timed_out: bool, may_be_done: str) -> PartnerAnswer:
    found = trouble(kind, problem)
    if may_be_done and (timed_out or is_lost(problem, kind)):
        return PartnerAnswer(Outcome.UNKNOWN, may_be_done)
    if timed_out:
        return PartnerAnswer(Outcome.NOT_SENT, "TIMEOUT")
    if found.code == "REFUSED":
        return PartnerAnswer(found.outcome, found.code, text=_own_words(problem))
    number = number_of(problem)
    return PartnerAnswer(found.outcome, found.code, detail=f"error {number} of the database" if number else "")


def _own_words(problem: DBAPIError) -> str:
    """What a procedure or trigger says when it refuses: the first line, as partners write it for people."""
    original: Any = problem.orig
    parts = original.args if original is not None else ()
    last = parts[-1] if parts else ""
    if isinstance(last, bytes):
        last = last.decode("utf-8", "replace")
    return str(getattr(last, "message", last)).partition("\n")[0][:200]
