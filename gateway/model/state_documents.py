"""Writes docs/specification/state-machines.md and its pictures from the tables of the program, so that both agree.

`python -m gateway.model.state_documents` writes the files; a test compares them with what it would write.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from gateway.model.critical_value import CRITICAL_TRANSITIONS, CriticalEvent
from gateway.model.exam_state import (
    ORDER_TRANSITIONS,
    TRANSITIONS,
    WHO,
    Event,
    OrderEvent,
    Party,
    Verdict,
    code_of,
    decide,
)
from gateway.model.money import FINAL, MONEY_TRANSITIONS
from gateway.model.state_diagram import State, Way, draw
from gateway.model.visit import VISIT_TRANSITIONS
from gateway.terms import CriticalStatus, StatusCode, StatusEvent, TransactionState, VisitEvent, VisitState

FOLDER = Path(__file__).parents[2] / "docs" / "specification"
PAGE = "state-machines.md"
MONEY_ORDER = ("PROPOSED", "SENT", "PENDING_CONFIRM", "MANUAL", "CONFIRMED", "REJECTED", "REVERSED")
MONEY_WAYS = {
    "SENT": "sent 发出",
    "CONFIRMED": "booked 记账",
    "REJECTED": "refused 拒绝",
    "PENDING_CONFIRM": "no answer 无应答",
    "MANUAL": "taken over 人工接管",
    "REVERSED": "never booked 未记账",
    "PROPOSED": "not sent 未发出",
}

Table = Mapping[str, Mapping[str, str]]


def documents() -> dict[str, str]:
    """Name and text of every file."""
    requisition = {_said(e): _plain(t) for e, t in (*TRANSITIONS.items(), *ORDER_TRANSITIONS.items())}
    ended = ("85", "90", "91")
    critical = {_said(e): _plain(t) for e, t in CRITICAL_TRANSITIONS.items()}
    visit = {_said(e): _plain(t) for e, t in VISIT_TRANSITIONS.items()}
    money: dict[str, dict[str, str]] = {}
    for source, targets in MONEY_TRANSITIONS.items():
        for target in targets:
            money.setdefault(MONEY_WAYS[target], {})[str(source)] = str(target)
    return {
        "states-of-a-requisition.svg": _drawn("Requisition item · 申请项目", _codes(StatusCode, ended), requisition),
        "states-of-money.svg": _drawn(
            "Charge or refund · 计费、退费", _names(TransactionState, FINAL, MONEY_ORDER), money
        ),
        "states-of-a-critical-value.svg": _drawn(
            "Critical value · 危急值", _codes(CriticalStatus, ("60", "90")), critical
        ),
        "states-of-a-visit.svg": _drawn("Visit · 就诊", _names(VisitState, ("CANCELLED",)), visit),
        PAGE: _page(),
    }


# --- pictures ---------------------------------------------------------------------------------------------------------


def _plain(table: Mapping[Any, Any]) -> dict[str, str]:
    return {str(source): str(target) for source, target in table.items()}


def _chinese(member: StrEnum) -> str:
    """What its docstring in terms.py says in Chinese."""
    return _SAID.get((type(member).__name__, member.name), "")


def _read_said() -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    for path in (Path(__file__).parents[1] / "terms.py", Path(__file__).with_name("exam_state.py")):
        kind = name = ""
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("class "):
                kind, name = line[6:].partition("(")[0], ""
            elif match := re.match(r'    ([A-Z_]+) = "', line):
                name = match[1]
            elif name and (match := re.match(r'    """.*?[.] ([^"]*?)[.。]?"""', line)):
                found[kind, name] = match[1]
    return found


_SAID = _read_said()


def _codes(kind: type[StrEnum], ended: Iterable[str]) -> list[State]:
    return [State(str(m), m.name, _chinese(m), str(m) in ended) for m in kind]


def _names(kind: type[StrEnum], ended: Iterable[str], order: Iterable[str] | None = None) -> list[State]:
    members = [kind(name) for name in order] if order is not None else list(kind)
    return [State("", m.name, _chinese(m), str(m) in tuple(ended)) for m in members]


def _drawn(title: str, states: list[State], table: Table) -> str:
    names = [state.code or state.name for state in states]
    found: dict[tuple[int, int], list[str]] = {}
    for event, moves in table.items():
        for source, target in moves.items():
            if source != target:
                found.setdefault((names.index(source), names.index(target)), []).append(event)
    ways = [Way(source, target, " · ".join(events)) for (source, target), events in sorted(found.items())]
    return draw(title, states, ways)


def _said(event: StrEnum) -> str:
    """An event with what it is called in Chinese."""
    kind = "AckType" if isinstance(event, CriticalEvent) else type(event).__name__
    return f"{event} {_SAID.get((kind, event.name)) or _OTHER.get(event.name, '')}".strip()


_OTHER = {"DELIVERED": "已送达", "RETURNED": "意见已回传", "CANCEL": "取消"}


# --- the page ---------------------------------------------------------------------------------------------------------


def _page() -> str:
    return "\n".join([*_of_requisitions(), *_of_the_others(), ""])


def _of_requisitions() -> Iterator[str]:
    yield from (
        "# State machines",
        "Written by `python -m gateway.model.state_documents` from the tables the program decides by; a test compares",
        "both.",
        "",
        "## Requisition items",
        "![The states of a requisition item](states-of-a-requisition.svg)",
        "",
        "Each item has a state. The picture shows the steps; a department's event that comes early fills in the steps",
        "it skips (a report implies registration and examination, with lock and charge), which the first table shows",
        "in brackets. `·` is recorded and changes nothing.",
        "",
        "### What the performing department reports",
        "Anybody else is answered `STA-403`: the department is who the routes send the requisition to, or whoever",
        "performs it where no route leads anywhere. A report (SubmitReport) moves the states too and is never refused",
        "for its sender: a finding must not get lost.",
        "",
        *_table(StatusEvent, Party.DEPARTMENT),
        "",
        "### What the clinic does",
        "HIS, or the system that submitted the requisition. Anybody else is answered `REQ-403`; only HIS may refund",
        "(`RFD-400`).",
        "",
        *_table(OrderEvent, Party.CLINIC),
        "",
        "### What the department gives back",
        "A refund by the performing department asks for no state and changes none; it is for inpatients, and the",
        "department's own (`RFD-425`, `RFD-400`).",
        "",
        *_table([OrderEvent.REFUND], Party.DEPARTMENT),
        "",
        "### Who may cause what",
        "| event | " + " | ".join(Party) + " |",
        "| --- " * (len(Party) + 1) + "|",
    )
    for event in (*StatusEvent, *OrderEvent):
        cells = ["yes" if party in WHO[event] else code_of(event, Verdict.FOREIGN) for party in Party]
        yield f"| {_said(event)} | " + " | ".join(cells) + " |"


def _of_the_others() -> Iterator[str]:
    yield from (
        "",
        "## Charges and refunds",
        "![The states of a charge or refund](states-of-money.svg)",
        "",
        "A state is never changed, the next one is added behind it. `CONFIRMED`, `REJECTED` and `REVERSED` are final.",
        "",
        "| state | may be followed by |",
        "| --- | --- |",
        *(
            f"| {s} {_chinese(s)} | {', '.join(sorted(MONEY_TRANSITIONS[s])) or 'nothing'} |"
            for s in map(TransactionState, MONEY_ORDER)
        ),
        "",
        "## Critical values",
        "![The loop of a critical value](states-of-a-critical-value.svg)",
        "",
        "Nothing ever moves back; `·` is kept and moves nothing, 410 is `CRV-410`, 423 is `CRV-423`.",
        "",
        *_simple(CRITICAL_TRANSITIONS, CriticalStatus),
        "",
        "## Visits",
        "![The states of a visit](states-of-a-visit.svg)",
        "",
        "`·` says what is known already and changes nothing; an empty cell is `VIS-409`.",
        "",
        *_simple(VISIT_TRANSITIONS, VisitState),
    )


def _table(events: Iterable[Event], party: Party) -> Iterator[str]:
    """States down, events across: the next state, `·` for recorded only, or the code of the refusal."""
    across = list(events)
    yield "| state | " + " | ".join(_said(event) for event in across) + " |"
    yield "| --- " * (len(across) + 1) + "|"
    for state in StatusCode:
        cells = []
        for event in across:
            decision = decide(state, event, party)
            implied = "".join(f"({step}) " for step in decision.implied)
            applied = decision.verdict is Verdict.APPLY
            cells.append(f"{implied}{decision.target}" if applied else code_of(event, decision.verdict) or "·")
        yield f"| {state} {state.name} {_chinese(state)} | " + " | ".join(cells) + " |"


def _simple(table: Mapping[Any, Mapping[Any, Any]], kind: type[StrEnum]) -> Iterator[str]:
    """States down, events across: the next state, `·` where nothing moves."""
    yield "| state | " + " | ".join(_said(event) for event in table) + " |"
    yield "| --- " * (len(table) + 1) + "|"
    for state in kind:
        cells = [_cell(state, event, moves) for event, moves in table.items()]
        yield f"| {state if kind is CriticalStatus else ''} {state.name} {_chinese(state)} | ".replace("|  ", "| ") + (
            " | ".join(cells) + " |"
        )


def _cell(state: StrEnum, event: StrEnum, moves: Mapping[Any, Any]) -> str:
    target = moves.get(state)
    if target is not None:
        return "·" if target == state else str(target)
    if isinstance(event, VisitEvent):
        return "·" if state in moves.values() else ""
    return "423" if str(event) == "CANCEL" and state != CriticalStatus.CANCELLED else "410"


def main() -> None:
    for name, text in documents().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
