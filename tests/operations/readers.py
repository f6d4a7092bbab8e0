"""Who reads records in the tests, what the hospital allows them, and the record the EMR has of P1."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from building import HOSPITAL, TEN, header, patient, record_request
from gateway.messages.medical_record import (
    GetMedicalRecordRequest,
    RecordDocument,
    RecordOrder,
    RecordSection,
    RecordVisit,
)
from gateway.model.client import Client
from gateway.model.record import Mask, RecordAuthorization, RecordAuthorizationPatient, RecordPolicy
from gateway.terms import RecordPurpose, VisitType
from hospital import Hospital, response_of

WHO = patient(
    birth_date=date(1968, 4, 17),
    id_no="99999919680417001X",
    phone="19900000001",
    address="示例市样例区测试路88号",
)
TELLING = "王𠮷祥（身份证 99999919680417001x，电话 199-0000-0001）诉胸痛。"
"""A text that tells who the patient is."""


def document(number: str, content: str = TELLING) -> RecordDocument:
    return RecordDocument(
        doc_id=number,
        type="C0006",
        title="王𠮷祥的检查报告",
        author_name="赵䶮",
        at=TEN,
        content=content,
        url=f"https://emr.example.org/{number}",
    )


def recorded_visit(visit_no: str, *codes: str, content: str = TELLING, **changes: Any) -> RecordVisit:
    values: dict[str, Any] = {
        "visit_type": VisitType.INPATIENT,
        "visit_no": visit_no,
        "started_at": TEN,
        "sections": tuple(
            RecordSection(code=code, documents=(document(f"{visit_no}-{code}", content),)) for code in codes
        ),
        "orders": (RecordOrder(order_no="O1", order_text="王𠮷祥：低分子肝素", doctor_name="赵䶮"),),
    }
    return RecordVisit(**values | changes)


def record_of(*visits: RecordVisit, **changes: Any) -> Any:
    """What the EMR answers."""
    return response_of("GetMedicalRecord", patient=WHO, visits=visits, total_count=len(visits), **changes)


def policy(hospital: Hospital, client: str, *purposes: RecordPurpose, **changes: Any) -> None:
    """Give a client a policy; what is not said is not limited."""
    values: dict[str, Any] = {
        "purposes": list(purposes or (RecordPurpose.TREAT,)),
        "secret_sections": [],
        "mask": Mask.NONE,
    }
    with hospital.sessions.begin() as session:
        session.merge(Client(name=client, password_hash="-", created_at=TEN))
        session.flush()
        session.merge(RecordPolicy(client=client, **values | changes))


def authorize(
    hospital: Hospital,
    number: str,
    client: str,
    purpose: RecordPurpose,
    *patients: str,
    **changes: Any,
) -> None:
    """Register an authorisation for this day; without patients it is about every one."""
    values: dict[str, Any] = {
        "hospital_code": HOSPITAL,
        "authorization_no": number,
        "client": client,
        "purpose": purpose,
        "every_patient": not patients,
        "valid_from": TEN.date(),
        "valid_to": TEN.date(),
        "created_at": TEN,
        "pseudonym_key": number.encode(),
    }
    hospital.add(
        RecordAuthorization(
            **values | changes, patients=[RecordAuthorizationPatient(patient_id=one) for one in patients]
        )
    )


def insurer(hospital: Hospital, **changes: Any) -> None:
    """A commercial insurer with a consent of P1 for claims, number SQ-1."""
    policy(hospital, "INSURER", RecordPurpose.CLAIM, **changes)
    authorize(hospital, "SQ-1", "INSURER", RecordPurpose.CLAIM, "P1")


def claim(patient_id: str = "P1", number: str | None = "SQ-1", **changes: Any) -> GetMedicalRecordRequest:
    """The insurer asks for a patient's record."""
    values: dict[str, Any] = {
        "header": header("INSURER"),
        "requisition_no": None,
        "patient_id": patient_id,
        "purpose": RecordPurpose.CLAIM,
        "authorization_no": number,
    }
    return record_request(**values | changes)


def for_treatment(patient_id: str = "P1", by: str = "PACS", **changes: Any) -> GetMedicalRecordRequest:
    """A department asks for a patient's record."""
    return record_request(**{"header": header(by), "requisition_no": None, "patient_id": patient_id} | changes)


def code_of(response: Any) -> str:
    return str(response.result.result_code)


def codes_of(responses: Sequence[Any]) -> list[str]:
    return [code_of(response) for response in responses]


def sections_of(answer: Any) -> dict[str, list[str]]:
    """The section codes of each visit in an answer."""
    return {visit.visit_no: [section.code for section in visit.sections] for visit in answer.visits}


def again(request: Any, number: int) -> Any:
    """The same question under a MessageId of its own."""
    return replace(request, header=replace(request.header, message_id=f"M-{number}-{id(request)}"))
