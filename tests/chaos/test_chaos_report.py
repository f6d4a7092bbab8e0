"""The report of a run can be read by people, by machines, and in a mail."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

from tests.chaos.checks import PROMISES, broken
from tests.chaos.drawing import drawing
from tests.chaos.evidence import Evidence, Sent
from tests.chaos.kills import DATABASE, WEB_WORKER, Kill
from tests.chaos.report import figures, write_report
from tests.chaos.run import Course, Plan, Sample, percentile


def course(evidence: Evidence) -> Course:
    samples = [Sample(float(n), 10 * n, 9 * n, None if n == 3 else 40 - 4 * n, n // 4, n) for n in range(10)]
    kills = [Kill("09:00:02", 102.0, WEB_WORKER, 11), Kill("09:00:03", 103.0, DATABASE, 12)]
    latencies = [(second / 2, 0.2 + second % 3) for second in range(18)]
    plan = Plan(messages=100, kills=2, minutes=0.1)
    return Course(plan, "done", 100.0, 6.0, 9.0, samples, kills, latencies, 110, 1, evidence)


def refused() -> Evidence:
    sent = Sent(sender="PACS", operation="ReportStatus", message_id="PACS-1-000001", about="CT<1>", outcome="refused")
    return Evidence(sent=[sent])


def test_a_run_that_kept_its_promises_says_so(tmp_path: Path):
    page = write_report(tmp_path, course(Evidence()), figures(course(Evidence()), broken(Evidence())), {})
    assert "Every promise was kept" in page.read_text(encoding="utf-8")


def test_what_breaks_a_promise_stands_in_all_three_files(tmp_path: Path):
    evidence = refused()
    problems = broken(evidence)
    page = write_report(tmp_path, course(evidence), figures(course(evidence), problems), problems)
    known = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert known["promises"] == {promise: int(promise.startswith("refused")) for promise in PROMISES}
    assert "PACS-1-000001" in (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "about CT&lt;1&gt; was refused" in page.read_text(encoding="utf-8")


def test_the_drawing_shows_every_kill_and_needs_nothing_from_elsewhere():
    picture = drawing(course(Evidence()))
    ElementTree.fromstring(picture)
    assert picture.count("<title>database 12, 3 s</title>") == 3
    assert "http" not in picture.replace("http://www.w3.org/2000/svg", "")


def test_a_percentile_is_one_of_the_values():
    assert [percentile([3.0, 1.0, 2.0], share) for share in (0.5, 0.99, 1.0)] == [2.0, 3.0, 3.0]
    assert percentile([], 0.5) == 0
