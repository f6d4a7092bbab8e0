"""Runs the cases one after the other and gathers what came of them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway.acceptance.cases import CASES, Case
from gateway.acceptance.kit import Exchange, Kit, NotApplicable, Unmet

_log = logging.getLogger(__name__)


class Verdict(StrEnum):
    """What came of a case."""

    PASSED = "PASSED"
    FAILED = "FAILED"
    NOT_TRIED = "NOT_TRIED"


@dataclass(frozen=True, slots=True)
class Finding:
    """One case and what came of it."""

    case: Case
    verdict: Verdict
    zh: str
    en: str
    seconds: float
    exchanges: tuple[Exchange, ...]


@dataclass(frozen=True, slots=True)
class Acceptance:
    """A whole run."""

    partner: str
    dialect: str
    files: str
    """The digest of the stylesheets and WSDL by which it was spoken to; empty when it speaks our contract."""
    hospital_code: str
    address: str
    run: str
    operations: tuple[str, ...]
    started_at: datetime
    finished_at: datetime
    findings: tuple[Finding, ...]

    def count(self, verdict: Verdict) -> int:
        return sum(finding.verdict is verdict for finding in self.findings)

    @property
    def not_sent(self) -> list[Finding]:
        """The cases about messages this partner is never sent."""
        return [finding for finding in self.findings if finding.verdict is Verdict.NOT_TRIED and not finding.exchanges]

    @property
    def is_passed(self) -> bool:
        """Whether at least one case was tried and none failed."""
        return self.count(Verdict.FAILED) == 0 and self.count(Verdict.PASSED) > 0


def chosen(numbers: Iterable[str]) -> list[Case]:
    """The cases of these numbers, or of these beginnings such as CHG; all when none is given. Raises LookupError."""
    wanted = [number.upper() for number in numbers]
    for one in wanted:
        if not any(case.number.startswith(one) for case in CASES):
            raise LookupError(one)
    return [case for case in CASES if not wanted or case.number.startswith(tuple(wanted))]


def run(
    kit: Kit, cases: list[Case], address: str, now: Callable[[], datetime], tell: Callable[[int, str], None]
) -> Acceptance:
    """Try every case; `tell` is told how many are done and which is next."""
    started, findings = now(), []
    for done, case in enumerate(cases):
        tell(done, case.number)
        findings.append(_tried(kit, case))
    tell(len(cases), "")
    partner = kit.partner
    operations = tuple(sorted(kit.operations))
    return Acceptance(
        partner=partner.name,
        dialect=partner.dialect,
        files=partner.files,
        hospital_code=kit.hospital_code,
        address=address,
        run=kit.run,
        operations=operations,
        started_at=started,
        finished_at=now(),
        findings=tuple(findings),
    )


def _tried(kit: Kit, case: Case) -> Finding:
    missing = [operation for operation in case.needs if not kit.serves(operation)]
    if missing:
        names = ", ".join(missing)
        return Finding(case, Verdict.NOT_TRIED, f"不发送 {names}", f"{names} is not sent to it", 0, ())
    began, before = time.monotonic(), len(kit.exchanges)
    kit.note = ("", "")
    verdict, zh, en = Verdict.PASSED, "", ""
    try:
        case.run(kit)
        zh, en = kit.note
    except Unmet as reason:
        verdict, zh, en = Verdict.FAILED, reason.zh, reason.en
    except NotApplicable as reason:
        verdict, zh, en = Verdict.NOT_TRIED, reason.zh, reason.en
    except Exception as problem:  # the cases before it are not to be lost with their report
        _log.error("Case %s has failed by itself.", case.number, exc_info=problem)
        words = type(problem).__name__
        verdict, zh, en = Verdict.FAILED, f"网关自身出错：{words}", f"the gateway itself has failed: {words}"
    exchanges = tuple(kit.exchanges[before:])
    if exchanges and all(one.kept_back for one in exchanges):
        verdict, why = Verdict.NOT_TRIED, exchanges[-1].kept_back
        zh, en = f"样式表不发送此消息：{why}", f"its stylesheet keeps it back: {why}"
    return Finding(case, verdict, zh, en, time.monotonic() - began, exchanges)
