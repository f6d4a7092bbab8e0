"""Statements made of tables that were found and values that are bound; how each kind of database calls a procedure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BindParameter,
    Column,
    ColumnElement,
    Connection,
    DateTime,
    Integer,
    Numeric,
    Select,
    String,
    Table,
    TextClause,
    and_,
    bindparam,
    or_,
    outparam,
    select,
    text,
    types,
)

from gateway.database_config import Parameter
from gateway.mapping.errors import MappingFailed
from gateway.partners.database.failures import Misfit, Unfit
from gateway.partners.database.rows import Cell
from gateway.partners.database.rows import Select as Wanted
from gateway.partners.database.tables import column, has_column, must_be_given
from gateway.partners.database.values import Habits, Place, bound

_TYPES: Mapping[str, types.TypeEngine[Any]] = {
    "text": String(),
    "integer": Integer(),
    "decimal": Numeric(asdecimal=True),
    "datetime": DateTime(),
}


def value_of(table: Table, cell: Cell, habits: Habits) -> tuple[Column[Any], Any]:
    """A column with the value to bind. Raises Misfit for a column that is not there, Unfit for what it cannot hold."""
    found = column(table, cell.column)
    written = None if cell.is_default and habits.empty_is_null else cell.text
    value = bound(Place(table.name, found), written, habits)
    return found, value


def row_values(
    table: Table, cells: Iterable[Cell], habits: Habits, *, is_new: bool, also: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The values of a row by column. Raises Unfit when one that must be there is missing."""
    values: dict[str, Any] = {}
    for cell in cells:
        found, value = value_of(table, cell, habits)
        if value is None and not found.nullable:
            raise Unfit("MISSING", f"{table.name}.{found.name} must have a value, and the stylesheet gives none.")
        values[found.name] = value
    for name, written in (also or {}).items():
        if has_column(table, name) and column(table, name).name not in values:
            found, value = value_of(table, Cell(name, written), habits)
            values[found.name] = value
    if is_new:
        missing = [one.name for one in table.columns if one.name not in values and must_be_given(one)]
        if missing:
            raise Misfit(
                "MISSING", f"{table.name} wants a value in {', '.join(missing)}, which the stylesheet leaves out."
            )
    return values


def condition(table: Table, cells: Sequence[Cell], habits: Habits) -> ColumnElement[bool]:
    """All conditions together, each with its value bound."""
    return and_(*[_one_condition(table, cell, habits) for cell in cells])


def _one_condition(table: Table, cell: Cell, habits: Habits) -> ColumnElement[bool]:
    if cell.operator == "begins":
        found = column(table, cell.column)
        if not cell.text:
            raise MappingFailed(f"the condition on {table.name}.{found.name} is empty.")
        return found.startswith(cell.text, autoescape=True)
    found, value = value_of(table, cell, habits)
    if value is None:
        if cell.operator == "eq":
            return found.is_(None)
        if cell.operator == "ne":
            return found.is_not(None)
        raise MappingFailed(f"the condition on {table.name}.{found.name} is empty.")
    compare: dict[str, ColumnElement[bool]] = {
        "eq": found == value,
        "ne": found != value,
        "lt": found < value,
        "le": found <= value,
        "gt": found > value,
        "ge": found >= value,
    }
    return compare[cell.operator]


def selection(table: Table, wanted: Wanted, habits: Habits) -> tuple[Select[Any], tuple[str, ...]]:
    """The rows a stylesheet wants, one more than it takes, and their columns as it names them."""
    names = wanted.columns
    query = select(*[column(table, name) for name in names]).where(condition(table, wanted.where, habits))
    for word in wanted.order:
        found = column(table, word.removeprefix("-"))
        query = query.order_by(found.desc() if word.startswith("-") else found.asc())
    if not wanted.order:
        query = query.order_by(*(table.primary_key.columns or [column(table, names[0])]))
    return query.limit(wanted.limit + 1), names


def after(by: Sequence[Column[Any]], values: Sequence[Any]) -> ColumnElement[bool]:
    """Rows that stand behind the one with these values, in the order of the columns."""
    parts = []
    for number, one in enumerate(by[: len(values)]):
        same = [earlier == values[n] for n, earlier in enumerate(by[:number])]
        parts.append(and_(*same, one > values[number]))
    return or_(*parts)


# --- procedures -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Invocation:
    """A call of a procedure, ready for one kind of database."""

    before: TextClause | None
    statement: TextClause
    after: TextClause | None
    values: dict[str, Any]


def invocation(kind: str, procedure: str, parameters: Sequence[Parameter], values: Mapping[str, Any]) -> Invocation:
    """How a procedure is called whose name and parameters stand in the settings."""
    makers = {"postgresql": _postgresql, "mysql": _mysql, "oracle": _oracle, "mssql": _mssql}
    return makers[kind](_quoted(kind, procedure), parameters, values)


def _quoted(kind: str, name: str) -> str:
    """Each part of a name in the quotes of its database, so that whatever stands there is a name; Oracle folds case."""
    parts = name.split(".")
    if kind == "oracle" or kind == "postgresql":
        return ".".join(f'"{p.replace(chr(34), "")}"' if not _is_plain(p) else p for p in parts)
    if kind == "mysql":
        return ".".join(f"`{p.replace('`', '')}`" for p in parts)
    return ".".join(f"[{p.replace(']', '')}]" for p in parts)


def _is_plain(name: str) -> bool:
    return name.replace("_", "a").replace("$", "a").isalnum() and name.isascii() and not name[0].isdigit()


def _bind(number: int, one: Parameter) -> BindParameter[Any]:
    return bindparam(f"p{number}", type_=_TYPES[one.type])


def _postgresql(name: str, parameters: Sequence[Parameter], values: Mapping[str, Any]) -> Invocation:
    casts = {"text": "text", "integer": "bigint", "decimal": "numeric", "datetime": "timestamp"}
    marks = [f"CAST(:p{n} AS {casts[one.type]})" for n, one in enumerate(parameters)]
    statement = text(f"CALL {name}({', '.join(marks)})")
    return Invocation(None, statement, None, {f"p{n}": values.get(one.name) for n, one in enumerate(parameters)})


def _mysql(name: str, parameters: Sequence[Parameter], values: Mapping[str, Any]) -> Invocation:
    marks, sets, outs, given = [], [], [], {}
    for n, one in enumerate(parameters):
        if one.way == "in":
            marks.append(f":p{n}")
            given[f"p{n}"] = values.get(one.name)
            continue
        sets.append(f"@gw{n} = :s{n}")
        given[f"s{n}"] = values.get(one.name) if one.way == "inout" else None
        marks.append(f"@gw{n}")
        outs.append(f"@gw{n} AS `{one.name.replace('`', '')}`")
    before = text(f"SET {', '.join(sets)}") if sets else None
    after_it = text(f"SELECT {', '.join(outs)}") if outs else None
    return Invocation(before, text(f"CALL {name}({', '.join(marks)})"), after_it, given)


def _oracle(name: str, parameters: Sequence[Parameter], values: Mapping[str, Any]) -> Invocation:
    marks, binds, given = [], [], {}
    for n, one in enumerate(parameters):
        marks.append(f"{one.name} => :p{n}")
        if one.way == "in":
            binds.append(_bind(n, one))
        else:
            out: Any = outparam(f"p{n}", String(one.length) if one.type == "text" else _TYPES[one.type])
            binds.append(out)
        given[f"p{n}"] = values.get(one.name)
    return Invocation(None, text(f"BEGIN {name}({', '.join(marks)}); END;").bindparams(*binds), None, given)


def _mssql(name: str, parameters: Sequence[Parameter], values: Mapping[str, Any]) -> Invocation:
    kinds = {"integer": "bigint", "decimal": "decimal(28,8)", "datetime": "datetime2"}
    declared, marks, outs, given = [], [], [], {}
    for n, one in enumerate(parameters):
        own = "@" + one.name.lstrip("@")
        if one.way == "in":
            marks.append(f"{own} = :p{n}")
            given[f"p{n}"] = values.get(one.name)
            continue
        declared.append(f"DECLARE @gw{n} {kinds.get(one.type, f'nvarchar({one.length})')} = :p{n};")
        given[f"p{n}"] = values.get(one.name) if one.way == "inout" else None
        marks.append(f"{own} = @gw{n} OUTPUT")
        outs.append(f"@gw{n} AS [{one.name.replace(']', '')}]")
    answer = f" SELECT {', '.join(outs)};" if outs else ""
    batch = f"SET NOCOUNT ON; {' '.join(declared)} EXEC {name} {', '.join(marks)};{answer}"
    return Invocation(None, text(batch), None, given)


def invoke(connection: Connection, call: Invocation, parameters: Sequence[Parameter]) -> dict[str, Any]:
    """Run it; what came out, by parameter."""
    outs = [one for one in parameters if one.way != "in"]
    if call.before is not None:
        names = set(call.before.compile().params)
        connection.execute(call.before, {name: value for name, value in call.values.items() if name in names})
    names = set(call.statement.compile().params)
    result = connection.execute(call.statement, {k: v for k, v in call.values.items() if k in names})
    if not outs:
        result.close()
        return {}
    if connection.dialect.name == "oracle":
        numbered = {f"p{n}": one.name for n, one in enumerate(parameters)}
        return {numbered[key]: value for key, value in _came_out(result).items()}
    if call.after is not None:
        result.close()
        result = connection.execute(call.after)
    row = result.first() if result.returns_rows else None
    found = dict(row._mapping) if row is not None else {}
    folded = {str(name).casefold(): value for name, value in found.items()}
    return {one.name: folded.get(one.name.casefold()) for one in outs}


def _came_out(result: Any) -> dict[str, Any]:
    """What Oracle's parameters hold after the call, by their marks."""
    return dict(result.out_parameters)


def parameter_value(one: Parameter, written: str | None, habits: Habits) -> Any:
    """The value for a parameter, as its type wants it. Raises Unfit."""
    if written is None or (written == "" and one.type != "text"):
        return None
    place = Place("the procedure", Column(one.name, _TYPES[one.type]))
    value = bound(place, written, habits)
    return Decimal(value) if one.type == "decimal" and value is not None else value
