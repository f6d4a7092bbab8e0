"""The last story: HIS's books are disturbed in every way, compared with ours, and each difference is found."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import timedelta

from gateway.demo.board import StoryFailed
from gateway.demo.messages import contrast_charge, ct_requisition, inpatient, now, outpatient, patient, status
from gateway.demo.stage import Stage

LONG_AGO = timedelta(days=7)
"""After so many days a charge without exam is a difference (`not_performed_days`)."""
COMPARE_SECONDS = 60
DIFFERENT = 1
"""The exit code of `gateway reconcile` when the books differ."""
FOUND = re.compile(r"^\d+ +([A-Z_]+) +(\S+)", re.MULTILINE)


def books_compared(stage: Stage) -> None:
    who, visit = patient(8, "端木演示"), inpatient(8)
    stage.send("HIS", "SubmitRequisition", ct_requisition("SQ801", who, visit, ReleaseEvent="NURSE_SENT"))
    stage.arrived("PACS", "SubmitRequisition", requisition_no="SQ801")
    for number in ("JF801", "JF802", "JF803"):
        stage.send("PACS", "ChargeItem", contrast_charge(number, "SQ801", who, visit))
    his = stage.partners["HIS"]
    stage.board.note("in HIS one booking gets lost, one is changed, one is voided, and one appears from nowhere")
    his.books("lose", "JF801")
    his.books("change", "JF802", "99.00")
    his.books("void", "JF803")
    his.books("invent", "JF899", "55.00")
    stage.board.note("and the insurance platform has a batch that nobody here has uploaded")
    stage.partners["YB"].books("invent", "SB899", "66.00")

    stage.board.note("HIS refuses the charge of a registration; another exam was paid a week ago and never made")
    stage.send("HIS", "SubmitRequisition", ct_requisition("SQ802", who, visit, ReleaseEvent="NURSE_SENT"))
    stage.arrived("PACS", "SubmitRequisition", requisition_no="SQ802")
    his.disturb(refuse="CHG-422", operation="ChargeItem")
    stage.send("PACS", "ReportStatus", status("SQ802", "REGISTER"))
    paid = {"ReleaseEvent": "PAID", "PaidAt": now() - LONG_AGO, "ReceiptNo": "FP803"}
    stage.send("HIS", "SubmitRequisition", ct_requisition("SQ803", patient(9, "公孙示范"), outpatient(9), **paid))

    found = _compare(stage)
    seeded = (
        ("GW_ONLY", "JF801", "what HIS has lost is found"),
        ("HIS_ONLY", "JF899", "what only HIS has is found"),
        ("INS_ONLY", "SB899", "what only the insurer has is found"),
        ("AMOUNT_DIFF", "JF802", "the changed amount is found"),
        ("STATUS_DIFF", "JF803", "the voided booking is found"),
        ("MISSED_CHARGE", "SQ802", "the exam without a charge is found"),
        ("NOT_PERFORMED", "SQ803", "the charge without an exam is found"),
    )
    for kind, about, sentence in seeded:
        stage.board.check(sentence, (kind, about) in found, True)
    stage.board.check("and nothing else", found - {(kind, about) for kind, about, _ in seeded}, set())


def _compare(stage: Stage) -> set[tuple[str, str]]:
    """Class and number of what `gateway reconcile` finds, as the finance office runs it."""
    folder = stage.partners["HIS"].folder.parent
    stage.board.note("gateway reconcile --date today")
    command = [sys.executable, "-m", "gateway", "reconcile", "--date", "today", "--folder", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=COMPARE_SECONDS)
    if done.returncode != DIFFERENT:
        raise StoryFailed(f"gateway reconcile ended with {done.returncode}: {(done.stderr or done.stdout)[-300:]}")
    for line in done.stdout.splitlines():
        if line.startswith("Differences:"):
            stage.board.note(line)
    sheets = [path.name.partition("-his.")[2] for path in (folder / "reconciliation" / "sheets").glob("*-his.*")]
    stage.board.check("the day sheet is there, as workbook and as page", sorted(sheets), ["html", "xlsx"])
    return set(FOUND.findall(done.stdout))
