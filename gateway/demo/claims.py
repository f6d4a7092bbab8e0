"""The story of a commercial insurer that reads the records of its claims, and no more."""

from __future__ import annotations

from gateway.demo.messages import inpatient, patient, record
from gateway.demo.site import CONSENT, INSURER
from gateway.demo.stage import Stage


def insurer_reads(stage: Stage) -> None:
    who, visit = patient(3, "上官测试"), inpatient(3)
    question = {**record(who, visit, "THIS_VISIT", orders=False), "Purpose": "CLAIM"}
    why = "refused: a claim without an authorisation"
    stage.send(INSURER, "GetMedicalRecord", question, expect="EMR-403", why=why)
    unknown, consented = ({**question, "AuthorizationNo": number} for number in ("SQ-0", CONSENT))
    why = "refused: an authorisation nobody has given"
    stage.send(INSURER, "GetMedicalRecord", unknown, expect="EMR-403", why=why)

    answer = stage.send(INSURER, "GetMedicalRecord", consented)
    stage.arrived("EMR", "GetMedicalRecord", visit_no=visit["VisitNo"])
    shown = answer.Patient
    stage.board.check(
        "with the patient's consent it reads a masked patient",
        (answer.Masked, shown.PatientName, shown.IdNo, shown.Phone),
        (True, "虚***", "999999********001X", "199****0001"),
    )
    sections = answer.Visits.Visit[0].Sections.Section
    codes = [section.Code for section in sections]
    stage.board.check("of this visit the sections it is allowed", codes, ["DIAG", "LAB", "SUMMARY"])
    text = sections[-1].Documents.Document[0].Content
    stage.board.check("and no name in the text", text.startswith("虚***（身份证 999999********001X"), True)

    for number, expect, why in ((5, "0", ""), (2, "EMR-429", "refused: a third patient on one day")):
        question = record(patient(number, "-"), inpatient(number), "THIS_VISIT", orders=False)
        about = {**question, "Purpose": "CLAIM", "AuthorizationNo": CONSENT}
        stage.send(INSURER, "GetMedicalRecord", about, expect=expect, why=why)
