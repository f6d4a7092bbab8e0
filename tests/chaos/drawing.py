"""The run drawn as SVG: messages over time, the backlog, how long senders waited, and every kill where it happened."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence

from tests.chaos.kills import BACKEND, DATABASE, DELIVERY, SUPERVISOR, WEB_MASTER, WEB_WORKER
from tests.chaos.run import Course, percentile

WIDTH, HEIGHT, LEFT, RIGHT, TOP, GAP = 960, 150, 62, 16, 30, 52
COLOURS = {
    WEB_WORKER: "#3b82c4",
    WEB_MASTER: "#1e4f8a",
    DELIVERY: "#d98a1f",
    DATABASE: "#c0262d",
    BACKEND: "#e58a8e",
    SUPERVISOR: "#6b3fa0",
}
LEGEND = 138
"""Between two words of the legend."""
BUCKET = 5
"""Seconds of which the waiting times are drawn together."""

Points = Sequence[tuple[float, float]]


def drawing(course: Course) -> str:
    """One picture, with nothing from elsewhere."""
    if not course.samples:
        return ""
    seconds = max(course.drained_at, course.samples[-1].second, 1)
    begun = [(sample.second, float(sample.begun)) for sample in course.samples]
    acknowledged = [(sample.second, float(sample.acknowledged)) for sample in course.samples]
    backlog = [(sample.second, float(sample.backlog)) for sample in course.samples if sample.backlog is not None]
    slow, middle = _waits(course, 0.99), _waits(course, 0.5)
    panels = [
        ("messages: begun and acknowledged", [(begun, "#9bb3c8"), (acknowledged, "#14804a")]),
        ("deliveries under way", [(backlog, "#d98a1f")]),
        (f"seconds a sender waited, each {BUCKET} s: median and 99 of 100", [(slow, "#9bb3c8"), (middle, "#14804a")]),
    ]
    parts = [_panel(course, seconds, number, *panel) for number, panel in enumerate(panels)]
    height = TOP + len(panels) * (HEIGHT + GAP) + 20
    size = f'viewBox="0 0 {WIDTH} {height}" font-family="system-ui, sans-serif" font-size="12"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">{"".join(parts)}{_legend(course, height)}</svg>'


def _panel(course: Course, seconds: float, number: int, title: str, lines: list[tuple[Points, str]]) -> str:
    top = TOP + number * (HEIGHT + GAP)
    most = max((value for points, _ in lines for _, value in points), default=1) or 1

    def x(second: float) -> float:
        return LEFT + second / seconds * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return top + HEIGHT - value / most * HEIGHT

    kills = "".join(
        f'<line x1="{x(at):.1f}" x2="{x(at):.1f}" y1="{top}" y2="{top + HEIGHT}" stroke="{COLOURS[kill.what]}" '
        f'opacity=".45"><title>{html.escape(kill.what)} {kill.pid}, {at:.0f} s</title></line>'
        for kill in course.kills
        for at in (kill.clock - course.begun,)
    )
    calm = x(min(course.calm_at, seconds))
    return (
        f'<rect x="{calm:.1f}" y="{top}" width="{WIDTH - RIGHT - calm:.1f}" height="{HEIGHT}" fill="#eef6f0"/>{kills}'
        f'<text x="{LEFT}" y="{top - 8}" font-weight="600">{html.escape(title)}</text>'
        f'<text x="{LEFT - 6}" y="{top + 10}" text-anchor="end">{_number(most)}</text>'
        f'<text x="{LEFT - 6}" y="{top + HEIGHT}" text-anchor="end">0</text>'
        f'<path d="M{LEFT} {top}V{top + HEIGHT}H{WIDTH - RIGHT}" fill="none" stroke="#8a99a8"/>'
        + "".join(_line(points, colour, x, y) for points, colour in lines)
        + _seconds(seconds, x, top + HEIGHT)
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _line(points: Points, colour: str, x: Callable[[float], float], y: Callable[[float], float]) -> str:
    if not points:
        return ""
    path = "L".join(f"{x(at):.1f} {y(value):.1f}" for at, value in points)
    return f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>'


def _seconds(seconds: float, x: Callable[[float], float], bottom: float) -> str:
    step = next((step for step in (5, 10, 30, 60, 120) if seconds / step <= 12), 300)
    marks = [number * step for number in range(int(seconds // step) + 1)]
    return "".join(f'<text x="{x(at):.1f}" y="{bottom + 15}" text-anchor="middle">{at} s</text>' for at in marks)


def _waits(course: Course, share: float) -> Points:
    buckets: dict[int, list[float]] = {}
    for at, taken in course.latencies:
        buckets.setdefault(int(at // BUCKET), []).append(taken)
    return [((number + 0.5) * BUCKET, percentile(values, share)) for number, values in sorted(buckets.items())]


def _legend(course: Course, height: float) -> str:
    seen = [what for what in COLOURS if any(kill.what == what for kill in course.kills)]
    parts = [f'<text x="{LEFT - 6}" y="{height - 14}" text-anchor="end">killed:</text>']
    parts += [
        f'<rect x="{LEFT + number * LEGEND}" y="{height - 24}" width="12" height="12" fill="{COLOURS[what]}"/>'
        f'<text x="{LEFT + number * LEGEND + 18}" y="{height - 14}">{html.escape(what)}</text>'
        for number, what in enumerate(seen)
    ]
    return "".join(parts)
