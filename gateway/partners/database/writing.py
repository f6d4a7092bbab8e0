"""Carries out what a stylesheet asks of a partner's database, in one transaction, and tells it as an answer in XML.

<Answer>
  <Call procedure="P_CHARGE"><P_RESULT>0</P_RESULT></Call>
  <Known table="CHARGES"><STATE>1</STATE></Known>          when it had been done before
  <Awaited table="ORDERS"><FLAG>1</FLAG></Awaited>
  <Rows table="V_RECORD" more="false"><Row><A>1</A></Row></Rows>
</Answer>
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timezone
from typing import Any

from lxml import etree
from sqlalchemy import Table, func, insert, select, update
from sqlalchemy.exc import DBAPIError

from gateway.database_config import DatabaseAccess
from gateway.mapping.errors import MappingFailed
from gateway.partners.database.door import Visit
from gateway.partners.database.failures import Misfit, NoTransactions, Unfit, trouble
from gateway.partners.database.rows import Await, Call, Cell, Insert, Merge, Plan, Select, Step, Update
from gateway.partners.database.statements import (
    condition,
    invocation,
    invoke,
    parameter_value,
    row_values,
    selection,
    value_of,
)
from gateway.partners.database.tables import Tables, column, has_column, undoes_nothing
from gateway.partners.database.values import Habits, hospital_time, shown

_ELEMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


class Work:
    """One message's plan within one visit."""

    def __init__(self, visit: Visit, tables: Tables, access: DatabaseAccess, message_id: str, zone: timezone) -> None:
        self._visit = visit
        self._connection = visit.connection
        self._tables = tables
        self._access = access
        self._message_id = message_id
        self._zone = zone
        self.habits: Habits = tables.habits(visit.connection)
        self.answer = etree.Element("Answer")

    # --- was it done before? ------------------------------------------------------------------------------------------

    def key_of(self, plan: Plan) -> Select | None:
        """The row that tells whether it was done: as the stylesheet says, else by the column of our MessageId."""
        if plan.known is not None:
            return plan.known
        name = self._access.message_id
        if name is None:
            return None
        for step in plan.steps:
            if not isinstance(step, Call) and has_column(self._table(step.table), name):
                return Select(step.table, (Cell(name, self._message_id),), (name,), limit=1)
        return None

    def was_done(self, key: Select) -> bool:
        """Whether that row is there; what it says becomes part of the answer."""
        table = self._table(key.table)
        query, names = selection(table, key, self.habits)
        row = self._connection.execute(query.limit(1)).first()
        if row is None:
            return False
        known = etree.SubElement(self.answer, "Known", table=key.table)
        self._show(known, names, row)
        return True

    # --- writing ------------------------------------------------------------------------------------------------------

    def check(self, plan: Plan) -> None:
        """Say before anything is sent what the partner's tables would not take. Raises Unfit or Misfit."""
        written = {step.table for step in plan.steps if not isinstance(step, Call)}
        if len(plan.steps) > 1:
            for name in written:
                if undoes_nothing(self._table(name)):
                    raise NoTransactions("ENGINE", f"{name} is kept by an engine without transactions: use InnoDB.")
        for step in plan.steps:
            self._prepare(step)

    def _prepare(self, step: Step) -> None:
        if isinstance(step, Insert):
            self._values(step.table, step.cells, is_new=True)
        elif isinstance(step, Update):
            condition(self._table(step.table), step.where, self.habits)
            self._values(step.table, step.cells, is_new=False)
        elif isinstance(step, Merge):
            self._values(step.table, (*step.key, *step.cells), is_new=True)
        else:
            self._arguments(step)

    def write(self, plan: Plan) -> None:
        """All steps, in their order; the caller commits."""
        for step in plan.steps:
            if isinstance(step, Insert):
                table = self._table(step.table)
                self._connection.execute(insert(table).values(self._values(step.table, step.cells, is_new=True)))
            elif isinstance(step, Update):
                self._update(step)
            elif isinstance(step, Merge):
                self._merge(step)
            else:
                self._call(step)

    def _update(self, step: Update) -> None:
        table, values = self._table(step.table), self._values(step.table, step.cells, is_new=False)
        done = self._connection.execute(update(table).where(condition(table, step.where, self.habits)).values(values))
        fits = done.rowcount == step.rows if step.rows is not None else done.rowcount > 0 or step.may_be_none
        if not fits:
            wanted = "one at least" if step.rows is None else str(step.rows)
            raise Unfit("ROWS", f"{step.table}: {done.rowcount} rows are there to be changed instead of {wanted}.")

    def _merge(self, step: Merge) -> None:
        table = self._table(step.table)
        where = condition(table, step.key, self.habits)
        changed = self._values(step.table, step.cells, is_new=False)
        if self._is_there(table, where) and self._change(table, where, changed):
            return
        values = self._values(step.table, (*step.key, *step.cells), is_new=True)
        try:
            with self._connection.begin_nested():
                self._connection.execute(insert(table).values(values))
        except DBAPIError as problem:
            if trouble(self.habits.kind, problem).code != "UNIQUE" or problem.connection_invalidated:
                raise
            if not self._change(table, where, changed):  # unless somebody else has just made it
                raise

    def _is_there(self, table: Table, where: Any) -> bool:
        count = self._connection.execute(select(func.count()).select_from(table).where(where)).scalar_one()
        if count > 1:
            raise Unfit("ROWS", f"{table.name}: {count} rows have the key of <merge>.")
        return bool(count)

    def _change(self, table: Table, where: Any, values: dict[str, Any]) -> bool:
        """Whether the row is there and says it now."""
        if not values:
            return self._is_there(table, where)
        return self._connection.execute(update(table).where(where).values(values)).rowcount > 0

    def _call(self, step: Call) -> None:
        known = self._access.procedures[self._procedure(step)]
        call = invocation(self.habits.kind, self._procedure(step), known.parameters, self._arguments(step))
        self._visit.may_be_done = "CALL"  # it may commit by itself
        found = invoke(self._connection, call, known.parameters)
        element = etree.SubElement(self.answer, "Call", procedure=step.procedure)
        for name, value in found.items():
            self._put(element, name.lstrip("@"), value)

    def _procedure(self, step: Call) -> str:
        for name in self._access.procedures:
            if name.casefold() == step.procedure.casefold():
                return name
        raise Misfit("TABLE", f"The procedure {step.procedure} does not stand in database.procedures of partner.toml.")

    def _arguments(self, step: Call) -> dict[str, Any]:
        parameters = {
            one.name.lstrip("@").casefold(): one for one in self._access.procedures[self._procedure(step)].parameters
        }
        given: dict[str, Any] = {}
        for cell in step.cells:
            one = parameters.get(cell.column.lstrip("@").casefold())
            if one is None or one.way == "out":
                raise Misfit("COLUMN", f"{step.procedure} takes no parameter {cell.column}.")
            written = None if cell.is_default and self.habits.empty_is_null else cell.text
            given[one.name] = parameter_value(one, written, self.habits)
        return given

    def _values(self, name: str, cells: Iterable[Cell], *, is_new: bool) -> dict[str, Any]:
        also = {self._access.message_id: self._message_id} if self._access.message_id is not None else {}
        return row_values(self._table(name), cells, self.habits, is_new=is_new, also=also)

    # --- reading ------------------------------------------------------------------------------------------------------

    def read(self, wanted: Select) -> None:
        """Rows for the answer; `more` says that there were more than the limit."""
        query, names = selection(self._table(wanted.table), wanted, self.habits)
        rows = self._connection.execute(query).all()
        more = len(rows) > wanted.limit
        element = etree.SubElement(self.answer, "Rows", table=wanted.table, more="true" if more else "false")
        for row in rows[: wanted.limit]:
            self._show(etree.SubElement(element, "Row"), names, row)

    def has_answered(self, awaited: Await) -> bool:
        """Whether the partner's program has set what is waited for; the row then becomes part of the answer."""
        wanted, table = awaited.select, self._table(awaited.select.table)
        names = tuple(dict.fromkeys((awaited.until, *wanted.columns)))
        query = select(*[column(table, name) for name in names]).where(condition(table, wanted.where, self.habits))
        row = self._connection.execute(query.limit(1)).first()
        if row is None:
            return False
        said = shown(row[0], trim=True)
        accepted = {shown(value_of(table, Cell(awaited.until, v), self.habits)[1]) for v in awaited.values}
        if said is None or (said not in awaited.values and said not in accepted):
            return False
        self._show(etree.SubElement(self.answer, "Awaited", table=wanted.table), names, row)
        return True

    def _show(self, element: etree._Element, names: Iterable[str], row: Any) -> None:
        for name, value in zip(names, row, strict=True):
            self._put(element, name, hospital_time(value, self.habits, self._zone))

    @staticmethod
    def _put(element: etree._Element, name: str, value: Any) -> None:
        put(element, name, shown(value, trim=True))

    def _table(self, name: str) -> Table:
        return self._tables.table(self._connection, name)


def put(element: etree._Element, name: str, value: str | None) -> None:
    """A column as an element of its name, if XML allows that name; nothing for NULL."""
    if value is None:
        return
    if _ELEMENT.fullmatch(name):
        etree.SubElement(element, name).text = value
    else:
        etree.SubElement(element, "column", name=name).text = value


def need_key(key: Select | None, plan: Plan, repeats_are_safe: bool) -> None:
    """What writes must be recognisable when it comes again. Raises MappingFailed."""
    if plan.writes and key is None and not repeats_are_safe:
        raise MappingFailed(
            "a repetition could not be told: name database.message_id, or let the stylesheet say <known>, "
            "or set repeats_are_safe."
        )
