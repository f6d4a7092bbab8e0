"""The report of an acceptance: one page to read, print and sign, that needs nothing else."""

from __future__ import annotations

import hashlib
import os
from importlib.metadata import version
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from gateway.acceptance.running import Acceptance, Verdict

WORDS = {
    Verdict.PASSED: ("通过", "passed", "good"),
    Verdict.FAILED: ("未通过", "failed", "bad"),
    Verdict.NOT_TRIED: ("未测", "not tried", "quiet"),
}


def write_report(acceptance: Acceptance, path: Path) -> str:
    """Write the page and give the digest of what it says, which both sides can compare. Readable by its owner alone."""
    environment = Environment(
        loader=PackageLoader("gateway.acceptance"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    digest = _digest(acceptance)
    page = environment.get_template("acceptance.html").render(
        acceptance=acceptance,
        words=WORDS,
        counts={verdict: acceptance.count(verdict) for verdict in Verdict},
        Verdict=Verdict,
        digest=digest,
        release=version("hospital-gateway"),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.touch(mode=0o600)
    beside.write_text(page, encoding="utf-8")
    beside.replace(path)
    return digest


def _digest(acceptance: Acceptance) -> str:
    said = [f"{acceptance.partner} {acceptance.run}"]
    for finding in acceptance.findings:
        said.append(f"{finding.case.number} {finding.verdict} {finding.en}")
        said += [f"{one.operation} {one.message_id} {one.outcome} {one.code}" for one in finding.exchanges]
    return hashlib.sha256("\n".join(said).encode()).hexdigest()[:16].upper()
