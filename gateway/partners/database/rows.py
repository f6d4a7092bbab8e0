"""What a stylesheet asks of a partner's database: a few words of XML that name tables and columns, and hold values.

    <Rows>
      <insert table="ORDERS"><ORDER_NO>R1</ORDER_NO><NAME null="true"/></insert>
      <update table="ORDERS" rows="1"><where><ORDER_NO>R1</ORDER_NO></where><STATE>9</STATE></update>
      <merge table="ORDERS"><key><ORDER_NO>R1</ORDER_NO></key><STATE>1</STATE></merge>
      <call procedure="P_CHARGE"><P_NO>C1</P_NO></call>
      <known table="CHARGES"><columns>STATE</columns><where><CHARGE_NO>C1</CHARGE_NO></where></known>
      <await table="ORDERS" until="FLAG"><values>1 2</values><columns>FLAG MSG</columns><where>...</where></await>
      <select table="V_RECORD" limit="200"><columns>A B</columns><where><AT op="ge">2026-01-01</AT></where>
        <order>A -B</order></select>
    </Rows>

There is no word for SQL (docs/databases.md, "What a stylesheet may ask").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lxml import etree

from gateway.mapping.errors import MappingFailed

MOST_ROWS = 5000
OPERATORS = frozenset({"eq", "ne", "lt", "le", "gt", "ge", "begins"})
RESERVED = frozenset({"where", "key", "columns", "values", "order"})
"""Elements inside a step that are no columns; a column called so is written <column name="key">."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A value for a column, or a condition on it."""

    column: str
    text: str | None
    """None is NULL."""
    is_default: bool = False
    """True of an empty element that says neither null nor empty: the settings decide."""
    operator: str = "eq"


@dataclass(frozen=True, slots=True)
class Insert:
    """One new row."""

    table: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Update:
    """Rows that are there already."""

    table: str
    where: tuple[Cell, ...]
    cells: tuple[Cell, ...]
    rows: int | None
    """How many there must be; None: at least one."""
    may_be_none: bool


@dataclass(frozen=True, slots=True)
class Merge:
    """A row that is new or there already, by its key."""

    table: str
    key: tuple[Cell, ...]
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A stored procedure."""

    procedure: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Select:
    """Rows to be read."""

    table: str
    where: tuple[Cell, ...]
    columns: tuple[str, ...]
    order: tuple[str, ...] = ()
    limit: int = 1000


@dataclass(frozen=True, slots=True)
class Await:
    """A row whose column the partner's program will set."""

    select: Select
    until: str
    values: tuple[str, ...]
    every: float


Step = Insert | Update | Merge | Call
Written = Insert | Update | Merge


@dataclass(frozen=True, slots=True)
class Plan:
    """All that one message asks."""

    steps: tuple[Step, ...]
    """In their order, in one transaction."""
    selects: tuple[Select, ...]
    known: Select | None
    """The row by which one sees that it was done before."""
    awaited: Await | None

    @property
    def writes(self) -> bool:
        return bool(self.steps)

    @property
    def calls(self) -> bool:
        return any(isinstance(step, Call) for step in self.steps)


def read_plan(root: etree._Element | str) -> Plan:
    """What a stylesheet has made. Raises MappingFailed with what is wrong with it."""
    if isinstance(root, str) or root.tag != "Rows":
        raise MappingFailed("the stylesheet must make <Rows>, in no namespace.")
    steps: list[Step] = []
    selects: list[Select] = []
    known: Select | None = None
    awaited: Await | None = None
    for element in root.iterchildren(tag=etree.Element):
        word = element.tag
        if word in _STEPS:
            steps.append(_STEPS[word](element))
        elif word == "select":
            selects.append(_select(element))
        elif word == "known" and known is None:
            known = _select(element)
        elif word == "await" and awaited is None:
            awaited = _await(element)
        else:
            raise MappingFailed(f"<{word}> cannot stand in <Rows>, or not twice.")
    if not (steps or selects):
        raise MappingFailed("<Rows> asks for nothing.")
    if steps and selects:
        raise MappingFailed("<select> cannot stand beside what writes.")
    if len(steps) > MOST_ROWS:
        raise MappingFailed(f"<Rows> has more than {MOST_ROWS} steps.")
    return Plan(tuple(steps), tuple(selects), known, awaited)


def _insert(element: etree._Element) -> Insert:
    return Insert(_name(element, "table"), _some(element, _cells(element)))


def _update(element: etree._Element) -> Update:
    rows = element.get("rows", "some")
    if rows not in ("some", "any") and not rows.isdigit():
        raise MappingFailed('rows of <update> is a number, "some" or "any".')
    where = _some(element, _inner(element, "where"))
    return Update(
        _name(element, "table"),
        where,
        _some(element, _cells(element)),
        int(rows) if rows.isdigit() else None,
        rows in ("any", "0"),
    )


def _merge(element: etree._Element) -> Merge:
    return Merge(_name(element, "table"), _some(element, _inner(element, "key")), _cells(element))


def _call(element: etree._Element) -> Call:
    return Call(_name(element, "procedure"), _cells(element))


def _select(element: etree._Element) -> Select:
    limit = element.get("limit", "1000")
    if not limit.isdigit() or not 1 <= int(limit) <= MOST_ROWS:
        raise MappingFailed(f"limit is a number from 1 to {MOST_ROWS}.")
    where = _some(element, _inner(element, "where"))
    columns = _words(element, "columns") or tuple(dict.fromkeys(cell.column for cell in where))
    return Select(_name(element, "table"), where, columns, _words(element, "order"), int(limit))


def _await(element: etree._Element) -> Await:
    values, until = _words(element, "values"), _name(element, "until")
    if not values:
        raise MappingFailed("<await> needs <values>: with which values of the column the partner has answered.")
    try:
        every = min(max(float(element.get("every", "0.5")), 0.1), 60.0)
    except ValueError:
        raise MappingFailed("every of <await> is a number of seconds.") from None
    return Await(_select(element), until, values, every)


_STEPS: dict[str, Callable[[etree._Element], Step]] = {
    "insert": _insert,
    "update": _update,
    "merge": _merge,
    "call": _call,
}


def _name(element: etree._Element, attribute: str) -> str:
    name = (element.get(attribute) or "").strip()
    if not name:
        raise MappingFailed(f"<{element.tag}> needs {attribute}.")
    return name


def _some(element: etree._Element, cells: tuple[Cell, ...]) -> tuple[Cell, ...]:
    if not cells:
        raise MappingFailed(f"<{element.tag}> names no column, or has no condition.")
    return cells


def _inner(element: etree._Element, word: str) -> tuple[Cell, ...]:
    found = element.find(word)
    return () if found is None else _cells(found)


def _words(element: etree._Element, word: str) -> tuple[str, ...]:
    return tuple((element.findtext(word) or "").split())


def _cells(element: etree._Element) -> tuple[Cell, ...]:
    cells = [_cell(one) for one in element.iterchildren(tag=etree.Element) if one.tag not in RESERVED]
    names = [cell.column.casefold() for cell in cells if cell.operator == "eq"]
    if len(set(names)) < len(names):
        raise MappingFailed(f"<{element.tag}> names a column twice.")
    return tuple(cells)


def _cell(element: etree._Element) -> Cell:
    name = _name(element, "name") if element.tag == "column" else str(element.tag)
    if len(element):
        raise MappingFailed(f"The column {name} holds elements instead of a text.")
    operator = element.get("op", "eq")
    if operator not in OPERATORS:
        raise MappingFailed(f"op of {name} must be one of {', '.join(sorted(OPERATORS))}.")
    if element.get("null") == "true":
        return Cell(name, None, operator=operator)
    text = element.text or ""
    return Cell(name, text, text == "" and element.get("empty") != "true", operator)
