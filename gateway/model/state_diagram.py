"""Draws a state machine as SVG: states in a column, ways forward on the right, ways back on the left.

Every way has a port of its own at both boxes and a lane of its own outside, so that no label meets a line.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

BOX, PORT, LANE, GAP, MARGIN, HEAD = 190, 24, 16, 30, 24, 58
FONT = "font-family=\"'Noto Sans CJK SC','Microsoft YaHei','PingFang SC',sans-serif\""
FORWARD, BACK, INK = "#1f6feb", "#b35900", "#1f2328"


@dataclass(frozen=True, slots=True)
class State:
    """One box: its code, its name and what it is called in the hospital."""

    code: str
    name: str
    chinese: str
    is_final: bool = False


@dataclass(frozen=True, slots=True)
class Way:
    """One arrow, by the positions of its states."""

    source: int
    target: int
    label: str

    @property
    def length(self) -> int:
        return abs(self.target - self.source)


def draw(title: str, states: Sequence[State], ways: Sequence[Way]) -> str:
    """The SVG document; the same for the same machine, wherever it is drawn."""
    forward = [way for way in ways if way.target > way.source]
    back = [way for way in ways if way.target < way.source]
    right, left = _ports(forward, len(states)), _ports(back, len(states))
    heights = [max(50, PORT * max(len(right[n]), len(left[n])) + 12) for n in range(len(states))]
    tops = [HEAD + sum(heights[:n]) + GAP * n for n in range(len(states))]
    left_zone, right_zone = _zone(back), _zone(forward)
    lanes = {way: lane for side in (forward, back) for way, lane in _lanes(side).items()}
    deepest = {True: 0, False: 0} | {way.target > way.source: 0 for way in ways}
    for way, lane in lanes.items():
        deepest[way.target > way.source] = max(deepest[way.target > way.source], lane + 1)
    x = MARGIN + LANE * deepest[False] + left_zone
    width = x + BOX + right_zone + LANE * deepest[True] + MARGIN
    height = tops[-1] + heights[-1] + MARGIN
    parts = [_head(title, width, height)]
    for n, state in enumerate(states):
        parts.append(_box(state, x, tops[n], heights[n]))
    for way in sorted(ways, key=lambda w: (w.source, w.target)):
        is_forward = way.target > way.source
        ports = right if is_forward else left
        ends = [_port(ports[n], way, tops[n], heights[n]) for n in (way.source, way.target)]
        edge = x + BOX if is_forward else x
        lane = edge + right_zone + LANE * lanes[way] if is_forward else edge - left_zone - LANE * lanes[way]
        parts.append(_arrow(way, edge, lane, ends[0], ends[1]))
    return "\n".join([*parts, "</svg>", ""])


def _ports(ways: Sequence[Way], count: int) -> list[list[Way]]:
    """The order of the arrows at each box: what comes from above enters above, what leaves first reaches farthest."""
    result: list[list[Way]] = []
    for n in range(count):
        down = any(way.target > way.source for way in ways)
        entering = sorted((w for w in ways if w.target == n), key=lambda w: w.length, reverse=not down)
        leaving = sorted((w for w in ways if w.source == n), key=lambda w: w.length, reverse=down)
        result.append([*entering, *leaving] if down else [*leaving, *entering])
    return result


def _port(ports: Sequence[Way], way: Way, top: int, height: int) -> float:
    first = top + (height - PORT * (len(ports) - 1)) / 2
    return first + PORT * ports.index(way)


def _lanes(ways: Sequence[Way]) -> dict[Way, int]:
    """The shortest ways nearest to the boxes, none above another."""
    taken: list[list[tuple[int, int]]] = []
    result: dict[Way, int] = {}
    for way in sorted(ways, key=lambda w: (w.length, w.source, w.target)):
        low, high = sorted((way.source, way.target))
        lane = next((n for n, spans in enumerate(taken) if all(high <= a or b <= low for a, b in spans)), len(taken))
        if lane == len(taken):
            taken.append([])
        taken[lane].append((low, high))
        result[way] = lane
    return result


def _zone(ways: Sequence[Way]) -> int:
    return max((_width(way.label) for way in ways), default=0) + 34


def _width(text: str) -> int:
    return round(sum(12 if unicodedata.east_asian_width(c) in "WF" else 6.8 for c in text))


def _head(title: str, width: int, height: int) -> str:
    marks = "".join(
        f'<marker id="{name}" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0 8 4 0 8z" fill="{colour}"/></marker>'
        for name, colour in (("forward", FORWARD), ("back", BACK))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" {FONT}>'
        f'<defs>{marks}</defs><rect width="100%" height="100%" fill="#ffffff"/>'
        f'<text x="{MARGIN}" y="32" font-size="17" font-weight="600" fill="{INK}">{escape(title)}</text>'
    )


def _box(state: State, x: int, y: int, height: int) -> str:
    fill, stroke = ("#f0f1f3", "#8c959f") if state.is_final else ("#eaf3ff", FORWARD)
    middle, centre = y + height / 2, x + BOX / 2
    first = f"{state.code} {state.name}".strip()
    return (
        f'<rect x="{x}" y="{y}" width="{BOX}" height="{height}" rx="8" fill="{fill}" stroke="{stroke}" '
        f'stroke-width="1.4"/>'
        f'<text x="{centre:g}" y="{middle - 4:g}" font-size="13" font-weight="600" text-anchor="middle" '
        f'fill="{INK}">{escape(first)}</text>'
        f'<text x="{centre:g}" y="{middle + 14:g}" font-size="13" text-anchor="middle" '
        f'fill="#57606a">{escape(state.chinese)}</text>'
    )


def _arrow(way: Way, edge: int, lane: int, begin: float, end: float) -> str:
    is_forward = way.target > way.source
    colour, mark = (FORWARD, "forward") if is_forward else (BACK, "back")
    out = 1 if is_forward else -1
    turn = 6 * (1 if end > begin else -1)
    path = (
        f"M{edge} {begin:g}H{lane - 6 * out}Q{lane} {begin:g} {lane} {begin + turn:g}"
        f"V{end - turn:g}Q{lane} {end:g} {lane - 6 * out} {end:g}H{edge + 1 * out}"
    )
    anchor = "start" if is_forward else "end"
    return (
        f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.3" marker-end="url(#{mark})"/>'
        f'<text x="{edge + 12 * out}" y="{begin - 4:g}" font-size="12" text-anchor="{anchor}" '
        f'fill="{colour}">{escape(way.label)}</text>'
    )
