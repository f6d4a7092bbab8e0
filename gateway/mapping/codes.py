"""What a mapping needs from the code tables (对照); gateway/codes implements it, gateway/bootstrap hands it over."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Protocol


class UnmappedPolicy(StrEnum):
    """What becomes of a message with a code that no row of its table has."""

    REJECT = "reject"
    PASS = "pass"  # noqa: S105 - no password
    DEFAULT = "default"
    PARK = "park"


class Unmapped(Exception):
    """A code has no row in its table, and the table says that the message cannot go on without one."""

    policy = UnmappedPolicy.REJECT
    table = value = ""

    def __init__(self, table: str, value: str, policy: UnmappedPolicy) -> None:
        super().__init__(f"The table {table} has no row for a code of the message.")
        self.table, self.value, self.policy = table, value, policy


class CodeTables(Protocol):
    """The code tables of all hospitals and partners."""

    def translate(self, table: str, value: str, *, partner: str, hospital_code: str, outbound: bool, on: date) -> str:
        """The other side's code for ours, or ours for theirs, as valid on a day. Raises Unmapped."""
        ...


class NoCodeTables:
    """Where there are none: every code is unmapped."""

    def translate(self, table: str, value: str, *, partner: str, hospital_code: str, outbound: bool, on: date) -> str:
        raise Unmapped(table, value, UnmappedPolicy.REJECT)
