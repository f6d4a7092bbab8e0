"""A small line chart as SVG, with a logarithmic axis below: enough for docs/, and no library."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT, LEFT, BOTTOM, RIGHT, TOP = 860, 420, 70, 50, 20, 50
COLOURS = ("#0b6", "#06c", "#c50", "#808", "#555")


def lines(title: str, below: str, curves: Mapping[str, Sequence[tuple[float, float]]], *, top: float) -> str:
    """Curves by name; what is above `top` is drawn at the edge."""
    every = [x for points in curves.values() for x, _ in points]
    least, most = math.log10(min(every)), math.log10(max(every))

    def place(x: float, y: float) -> tuple[float, float]:
        across = (math.log10(x) - least) / (most - least or 1) * (WIDTH - LEFT - RIGHT)
        return LEFT + across, HEIGHT - BOTTOM - min(y, top) / top * (HEIGHT - BOTTOM - TOP)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="20" font-weight="bold">{escape(title)}</text>',
        f'<text x="{WIDTH / 2}" y="{HEIGHT - 8}" text-anchor="middle">{escape(below)}</text>',
    ]
    for step in range(5):
        value = top * step / 4
        y = place(10**least, value)[1]
        parts.append(f'<line x1="{LEFT}" y1="{y:.0f}" x2="{WIDTH - RIGHT}" y2="{y:.0f}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.0f}" text-anchor="end">{value:.0f}</text>')
    for x in sorted(set(every)):
        across, down = place(x, 0)[0], HEIGHT - BOTTOM + 18
        parts.append(f'<text x="{across:.0f}" y="{down}" text-anchor="middle" font-size="11">{x:g}</text>')
    for number, (name, points) in enumerate(curves.items()):
        colour, way = COLOURS[number % len(COLOURS)], " ".join("{:.1f},{:.1f}".format(*place(*one)) for one in points)
        parts.append(f'<polyline points="{way}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{LEFT + 12}" y="{TOP + 14 + 18 * number}" fill="{colour}">{escape(name)}</text>')
    return "\n".join((*parts, "</svg>", ""))
