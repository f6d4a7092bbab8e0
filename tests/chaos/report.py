"""The report of a run: report.json for machines, report.md for mails, report.html with its drawing for people."""

from __future__ import annotations

import html
import json
import os
import platform
from collections import Counter
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.chaos.checks import redelivered
from tests.chaos.drawing import drawing
from tests.chaos.run import Course, percentile

Problems = dict[str, list[str]]
SHOWN = 200
"""Of what breaks a promise."""


def figures(course: Course, problems: Problems) -> dict[str, Any]:
    """The run in numbers."""
    return {
        "plan": asdict(course.plan),
        "machine": _machine(),
        "ended": datetime.now().astimezone().isoformat(timespec="seconds"),
        "promises": {promise: len(found) for promise, found in problems.items()},
        "counts": _counts(course),
        "kills": dict(Counter(kill.what for kill in course.kills)),
        "operations": dict(Counter(s.operation for s in course.evidence.sent if s.outcome == "acknowledged")),
    }


def write_report(folder: Path, course: Course, known: dict[str, Any], problems: Problems) -> Path:
    """The three files; the one to open."""
    timeline = {
        "samples": [asdict(sample) for sample in course.samples],
        "killed": [asdict(kill) | {"second": round(kill.clock - course.begun, 2)} for kill in course.kills],
    }
    broken = {promise: found for promise, found in problems.items() if found}
    content = json.dumps(known | {"broken": broken} | timeline, ensure_ascii=False, indent=1)
    (folder / "report.json").write_text(content + "\n", encoding="utf-8")
    (folder / "report.md").write_text(markdown(known, problems), encoding="utf-8")
    page = folder / "report.html"
    page.write_text(_page(course, known, problems), encoding="utf-8")
    return page


def _counts(course: Course) -> dict[str, Any]:
    evidence = course.evidence
    outcomes = Counter(sent.outcome for sent in evidence.sent)
    faults = Counter(arrival.fault for arrival in evidence.arrivals if arrival.fault)
    states = Counter(delivery.state for delivery in evidence.deliveries)
    seconds = [taken for _, taken in course.latencies]
    waits = ", ".join(f"{name} {percentile(seconds, share):.2f}" for name, share in _SHARES)
    return {
        "messages": len(evidence.sent),
        "acknowledged": outcomes["acknowledged"],
        "of them while processes were killed": course.acknowledged_in_chaos,
        "refused": outcomes["refused"],
        "never answered": outcomes["unanswered"],
        "attempts of the senders": course.tries,
        "acknowledged messages sent once more": len(evidence.repeated),
        "processes killed": f"{len(course.kills)} ({_listed(Counter(kill.what for kill in course.kills))})",
        "starts of the supervisor after its own death": course.restarts,
        "deliveries": f"{len(evidence.deliveries)} ({_listed(states)})",
        "requests at partners": len(evidence.arrivals),
        "faults of partners": f"{faults.total()} ({_listed(faults)})",
        "reached a partner again, recognised there": redelivered(evidence),
        "charges in HIS's books": len(evidence.his),
        "seconds from sending to acknowledgement": waits,
        "seconds of killing, then of draining": f"{course.calm_at:.0f}, {course.drained_at - course.calm_at:.0f}",
    }


_SHARES = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("max", 1.0))


def _listed(counts: Counter[Any]) -> str:
    return ", ".join(f"{number} {what}" for what, number in counts.most_common())


def _machine() -> str:
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, load {load} at the end"


def markdown(known: dict[str, Any], problems: Problems) -> str:
    """The counts as tables."""
    plan = known["plan"]
    head = f"Seed {plan['seed']}, {plan['messages']} messages, {plan['kills']} kills in {plan['minutes']:g} minutes, "
    lines = [
        f"{head}faults at {plan['faults']:.0%} of what reaches a partner; {known['machine']}; {known['ended']}.",
        "",
    ]
    lines += ["| broken | promise |", "| --- | --- |"]
    lines += [f"| {len(found)} | {promise} |" for promise, found in problems.items()]
    lines += ["", "| what happened | |", "| --- | --- |"]
    lines += [f"| {name} | {value} |" for name, value in known["counts"].items()]
    lines += ["", f"Acknowledged by operation: {_listed(Counter(known['operations']))}.", ""]
    for promise, found in problems.items():
        lines += [f"- {promise}: {line}" for line in found[:SHOWN]]
    return "\n".join(lines) + "\n"


_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 980px; margin: 2em auto; padding: 0 1em; color: #1d2733; }
h1 { font-size: 1.5em } h2 { font-size: 1.1em; margin-top: 2em }
table { border-collapse: collapse; width: 100% } td { padding: .25em .6em; border-bottom: 1px solid #e3e8ee }
td.n { text-align: right; font-weight: 700; width: 4em } .good { color: #14804a } .bad { color: #c0262d }
svg { width: 100%; height: auto } li { font-family: ui-monospace, monospace; font-size: 13px }
"""


def _page(course: Course, known: dict[str, Any], problems: Problems) -> str:
    plan, whole = known["plan"], all(not found for found in problems.values())
    headline = "Every promise was kept" if whole else "Promises were broken"
    promises = "".join(
        f'<tr><td class="n {"bad" if found else "good"}">{len(found)}</td><td>{html.escape(promise)}</td></tr>'
        for promise, found in problems.items()
    )
    counts = "".join(
        f"<tr><td>{html.escape(name)}</td><td>{html.escape(str(value))}</td></tr>"
        for name, value in known["counts"].items()
    )
    details = "".join(
        f"<h2>{html.escape(promise)}</h2><ul>" + "".join(f"<li>{html.escape(x)}</li>" for x in found[:SHOWN]) + "</ul>"
        for promise, found in problems.items()
        if found
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Chaos: {headline}</title><style>{_STYLE}</style>'
        f'<h1 class="{"good" if whole else "bad"}">{headline}</h1>'
        f"<p>{plan['messages']} messages, {plan['kills']} kills in {plan['minutes']:g} minutes, faults at "
        f"{plan['faults']:.0%} of what reaches a partner. Seed {plan['seed']}. {html.escape(known['machine'])}. "
        f"{known['ended']}</p>"
        f"<table>{promises}</table>{drawing(course)}<h2>What happened</h2><table>{counts}</table>{details}</html>\n"
    )
