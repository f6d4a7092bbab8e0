"""Draws the table of model/exam_state.py for docs/specification/requisition.md."""

from __future__ import annotations

from gateway.model.exam_state import Verdict, decide
from gateway.terms import StatusCode, StatusEvent

_MARKS = {Verdict.STALE: "·", Verdict.NOT_PAID: "402", Verdict.FINAL: "410", Verdict.ILLEGAL: "409"}


def table() -> str:
    """States down, events across: the next state, `·` for recorded only, or the refusal's code."""
    events = list(StatusEvent)
    lines = ["| state | " + " | ".join(events) + " |", "| --- " * (len(events) + 1) + "|"]
    for state in StatusCode:
        cells = []
        for event in events:
            decision = decide(state, event)
            implied = "".join(f"({step}) " for step in decision.implied)
            cells.append(
                f"{implied}{decision.target}" if decision.verdict is Verdict.APPLY else _MARKS[decision.verdict]
            )
        lines.append(f"| {state} {state.name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())  # noqa: T201 - this is what the program is for
