"""The requests of the stories, as nested dictionaries in the words of the contract; all patients are invented."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

Request = dict[str, Any]

CT_DEPT, LAB_DEPT = "0103", "0201"
DOCTOR = ("D1066", "赵䶮")


def now() -> datetime:
    return datetime.now().astimezone().replace(microsecond=0)


def patient(number: int, name: str) -> Request:
    return {"PatientId": f"P900000{number:04d}", "PatientName": name, "SexCode": "1", "BirthDate": "1968-04-17"}


def outpatient(number: int) -> Request:
    return {"VisitType": "1", "VisitNo": f"MZ9{number:06d}", "DeptCode": "1001", "DeptName": "急诊内科门诊"}


def inpatient(number: int) -> Request:
    return {
        "VisitType": "3",
        "VisitNo": f"ZY9{number:06d}",
        "DeptCode": "2001",
        "DeptName": "呼吸与危重症医学科",
        "WardCode": "W2001",
        "BedNo": "加12",
    }


def ct_requisition(requisition_no: str, patient: Request, visit: Request, **more: Any) -> Request:
    """A CT of the chest with contrast agent: two items, 480.00 and 238.50."""
    return {
        "Action": "NEW",
        "RequisitionNo": requisition_no,
        "RequisitionType": "EXAM",
        "Patient": patient,
        "Visit": visit,
        "Priority": "URGENT",
        "OrderingDeptCode": visit["DeptCode"],
        "OrderingDoctorCode": DOCTOR[0],
        "OrderingDoctorName": DOCTOR[1],
        "OrderedAt": now(),
        "PerformDeptCode": CT_DEPT,
        "PerformDeptName": "CT室",
        "Purpose": "排除肺动脉栓塞（SpO2 <90%）",
        "Items": {
            "Item": [
                _item(requisition_no, 1, "CT0203", "胸部CT平扫+增强", "480.00"),
                _item(requisition_no, 2, "YP1109", "碘海醇注射液（对比剂）", "238.50"),
            ]
        },
        **more,
    }


def _item(requisition_no: str, seq: int, code: str, name: str, price: str) -> Request:
    return {
        "ItemSeq": seq,
        "OrderNo": f"YZ-{requisition_no}-{seq}",
        "ItemCode": code,
        "ItemName": name,
        "Quantity": 1,
        "UnitPrice": Decimal(price),
        "Amount": Decimal(price),
    }


CT_LINES = ((1, "CT0203", "480.00"), (2, "YP1109", "238.50"))
"""The lines a CT is charged by: number, price code, amount."""
CT_PRICE = "718.50"


def status(requisition_no: str, event: str, **more: Any) -> Request:
    return {"RequisitionNo": requisition_no, "Event": event, "OccurredAt": now(), **more}


def report(report_no: str, requisition_no: str, patient: Request) -> Request:
    return {
        "ReportNo": report_no,
        "ReportVersion": 1,
        "Action": "FINAL",
        "Requisitions": {"Requisition": [{"RequisitionNo": requisition_no}]},
        "Patient": patient,
        "ReportType": "EXAM",
        "Findings": "右肺动脉主干及分支见充盈缺损，管腔狭窄 >50%。",
        "Impression": "右肺动脉栓塞 & 右肺下叶梗死可能，请结合临床。",
        "ReporterCode": "R0345",
        "ReporterName": "周试",
        "ReportedAt": now(),
        "AuditorCode": "R0102",
        "AuditorName": "吴䶮",
        "AuditedAt": now(),
    }


def contrast_charge(charge_no: str, requisition_no: str, patient: Request, visit: Request) -> Request:
    """More contrast agent was used: a supplementary charge of 126.80."""
    return {
        "ChargeNo": charge_no,
        "RequisitionNo": requisition_no,
        "Patient": patient,
        "Visit": visit,
        "ChargePoint": "SUPPLEMENT",
        "OccurredAt": now(),
        "PerformDeptCode": CT_DEPT,
        "Lines": {
            "Line": [
                {
                    "LineNo": 1,
                    "ItemSeq": 2,
                    "ChargeCode": "YP1108",
                    "ItemName": "碘海醇注射液（追加）",
                    "Quantity": 1,
                    "UnitPrice": Decimal("126.80"),
                    "ListAmount": Decimal("126.80"),
                    "ActualAmount": Decimal("126.80"),
                }
            ]
        },
    }


def refund(refund_no: str, initiator: str, reason: str, text: str, **original: Any) -> Request:
    """The whole CT goes back."""
    return {
        "RefundNo": refund_no,
        **original,
        "Initiator": initiator,
        "ReasonCode": reason,
        "ReasonText": text,
        "OccurredAt": now(),
        "Lines": {
            "Line": [
                {
                    "OriginalLineNo": number,
                    "ChargeCode": code,
                    "RefundQuantity": 1,
                    "RefundAmount": Decimal(amount),
                }
                for number, code, amount in CT_LINES
            ]
        },
    }


def visit_event(event_no: str, event: str, patient: Request, visit: Request) -> Request:
    return {"EventNo": event_no, "Event": event, "OccurredAt": now(), "Patient": patient, "Visit": visit}


def critical_value(critical_id: str, source: str, content: str, patient: Request, visit: Request) -> Request:
    return {
        "CriticalId": critical_id,
        "Action": "NEW",
        "SourceType": source,
        "Patient": {name: patient[name] for name in ("PatientId", "PatientName")},
        "Visit": {name: visit[name] for name in ("VisitType", "VisitNo", "DeptCode", "WardCode", "BedNo")},
        "Level": "A",
        "Content": content,
        "FoundAt": now(),
        "ReportedAt": now(),
        "ReporterCode": "R0345",
        "ReporterName": "周试",
        "TargetDeptCode": visit["DeptCode"],
        "TargetWardCode": visit["WardCode"],
        "TargetDoctors": {"Doctor": [{"Code": DOCTOR[0], "Name": DOCTOR[1]}]},
    }


def acknowledgement(critical_id: str, source: str, ack_id: str, ack_type: str, opinion: str | None = None) -> Request:
    nurse = ack_type.endswith("NURSE")
    return {
        "CriticalId": critical_id,
        "SourceSystem": source,
        "AckId": ack_id,
        "AckType": ack_type,
        "ActorCode": "N0217" if nurse else DOCTOR[0],
        "ActorName": "李示例" if nurse else DOCTOR[1],
        "ActorRole": "NURSE" if nurse else "DOCTOR",
        "ActorDeptCode": "2001",
        "ActedAt": now(),
        "Opinion": opinion,
    }


def record(patient: Request, visit: Request, scope: str, *, orders: bool) -> Request:
    return {
        "PatientId": patient["PatientId"],
        "VisitNo": visit["VisitNo"],
        "Scope": scope,
        "IncludeOrders": orders,
        "Purpose": "TREAT",
    }
