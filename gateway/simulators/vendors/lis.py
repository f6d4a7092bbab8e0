"""A laboratory that speaks HL7 v2.4 with pipes: orders come as a string of its web service, results leave over MLLP.

Every tube is one order with a barcode, and is received, examined and reported by itself. Messages are in GB18030.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gateway.simulators.memory import Record
from gateway.simulators.vendors.calling import HOSPITAL_TIME, Pipes, element, new_number
from gateway.simulators.vendors.department import REGISTERED, Department
from gateway.simulators.vendors.toolkits import dotnet
from gateway.simulators.vendors.vendor import Carry, Message, Question, Refused, Send
from gateway.styles.plain import Hl7String
from gateway.styles.served import Served
from gateway.styles.style import Said

YES, NO = "AA", "AE"


class Lis(Department):
    """Reads segments by their names and fields by their numbers, and nothing else."""

    name = "LIS"
    path = "/LisService.asmx"
    contract = Served(Hl7String(), operations=("AcceptMessage",), service="LisService")
    prefix = "LAB"
    report_type = "LAB"
    source_type = "1"
    toolkit = staticmethod(dotnet)
    busy, unknown, unsupported = NO, NO, NO

    def functions(self) -> Mapping[str, Carry]:
        return {"AcceptMessage": self._accept}

    def numbers(self, question: Question) -> dict[str, str]:
        segments = _segments(question.payload)
        found = {"message_id": _field(segments, "MSH", 10), "requisition_no": _field(segments, "ORC", 4)}
        return found | {"action": _field(segments, "ORC", 1)}

    def refusal(self, question: Question, code: str, text: str) -> Said:
        return _acknowledged(question, code, text)

    def _accept(self, question: Question) -> Said:
        segments = _segments(question.payload)
        kind = _field(segments, "MSH", 9).split("^")[0]
        if kind == "ORA":
            return self._answered(question, segments)
        if kind not in ("OML", "ORM"):
            raise Refused(NO, f"不支持的消息类型{kind[:8]}")
        number, control = _field(segments, "ORC", 4), _field(segments, "ORC", 1)
        if not number:
            raise Refused(NO, "ORC-4为空")
        if control == "CA":
            return _acknowledged(question, YES, "", exam_no=str(self.cancel(number)["exam_no"]))
        patient = {
            "patient_id": _field(segments, "PID", 3).split("^")[0],
            "name": _plain(_field(segments, "PID", 5).split("^")[0]),
            "sex": {"M": "1", "F": "2"}.get(_field(segments, "PID", 8), "9"),
            "visit_no": _field(segments, "PV1", 19),
            "visit_type": {"O": "1", "E": "2", "I": "3"}.get(_field(segments, "PV1", 2), "9"),
        }
        order = self.take(number, patient=patient, items=_tubes(segments), again=control == "XO")
        return _acknowledged(question, YES, "", exam_no=str(order["exam_no"]))

    def _answered(self, question: Question, segments: list[list[str]]) -> Said:
        """What clinicians did about a critical value (ORA^R41)."""
        self.opinion(
            _field(segments, "OBR", 2),
            _field(segments, "OBR", 3),
            _field(segments, "NTE", 4),
            _plain(_field(segments, "NTE", 3)),
        )
        return _acknowledged(question, YES, "")

    # --- what it sends ------------------------------------------------------------------------------------------------

    def sends(self) -> Mapping[str, Send]:
        return {
            "ReportStatus": self._received,
            "SubmitReport": self._result,
            "PushCriticalValue": self._alert,
            "ChargeItem": self._fees,
            "QueryRequisition": self._pull,
        }

    def _received(self, values: Mapping[str, Any]) -> Pipes:
        """One tube has come (`tube` is its place among the items, counted from 0) or is done, with `status` CM."""
        order = self.known(values)
        tube = order["items"][int(values.get("tube", 0))]
        if values.get("status", "IP") == "IP":
            self.memory.remember("worklist", (order["requisition_no"],), **{**order, "state": REGISTERED})
        return self._pipes(
            values,
            "ORM^O01",
            *_patient(order),
            f"ORC|SC|{tube['order_no']}||{order['requisition_no']}|{values.get('status', 'IP')}||||{_now()}",
            f"OBR|1|{tube['order_no']}|{order['exam_no']}|{tube['code']}^{tube['name']}|||||||||||||||{tube['seq']}"
            f"|||{_now()}||LAB",
            f"SPM|1|{tube['barcode']}",
        )

    def _result(self, values: Mapping[str, Any]) -> Pipes:
        """The report of one tube; `value` is that of its one item."""
        order = self.known(values)
        tube = order["items"][int(values.get("tube", 0))]
        at = str(values.get("at") or _now())
        number = str(values.get("report_no") or f"{order['exam_no']}{tube['seq']}")
        return self._pipes(
            values,
            "ORU^R01",
            *_patient(order),
            f"ORC|RE|{tube['order_no']}||{order['requisition_no']}",
            f"OBR|1|{tube['order_no']}|{order['exam_no']}|{tube['code']}^{tube['name']}||||||||||||||||{number}^1"
            f"||{at}||LAB|F|||||||L0021&检验者&&&&&&&&^{at}|L0007&审核者&&&&&&&&^{at}",
            f"OBX|1|NM|K^血清钾^L^6298-4^^LN||{values.get('value', '4.1')}|mmol/L|3.5-5.3|{values.get('flag', 'N')}|||F"
            f"|||{at}",
        )

    def _alert(self, values: Mapping[str, Any]) -> Pipes:
        order = self.known(values)
        tube = order["items"][int(values.get("tube", 0))]
        own = [f"OBX|2|ST|CriticalId^^99HG||{values['critical_id']}"] if values.get("critical_id") else []
        return self._pipes(
            values,
            "ORU^R40",
            *_patient(order),
            f"ORC|RE|{tube['order_no']}||{order['requisition_no']}",
            f"OBR|1|{tube['order_no']}|{order['exam_no']}|{tube['code']}^{tube['name']}|||||||||||||||||||{_now()}||LAB|F",
            f"OBX|1|NM|K^血清钾^L||{values.get('value', '7.2')}|mmol/L|3.5-5.3|HH|||F|||{_now()}",
            *own,
        )

    def _fees(self, values: Mapping[str, Any]) -> Pipes:
        """What was used beside the items, such as a further tube."""
        order, number = self.known(values), str(values.get("charge_no") or new_number("LF"))
        at = _now()
        return self._pipes(
            values,
            "DFT^P03",
            f"EVN|P03|{at}",
            *_patient(order),
            f"FT1|1|{number}||{at}||CG|250310001^血清钾测定|||2|17.00|8.50|0201" + "|" * 10 + order["requisition_no"],
        )

    def _pull(self, values: Mapping[str, Any]) -> Message:
        """Who holds a tube in its hands asks for it by its barcode."""
        return self.by_contract("QueryRequisition", values, element("Barcode", values["barcode"]))

    def _pipes(self, values: Mapping[str, Any], kind: str, *segments: str) -> Pipes:
        number = str(values.get("message_id") or new_number("L"))
        head = f"MSH|^~\\&|LIS||GATEWAY||{_now()}||{kind}|{number}|P|2.4||||||GB 18030-2000"
        return Pipes(int(values["port"]), "\r".join((head, *segments)) + "\r")


def _segments(text: str) -> list[list[str]]:
    return [line.split("|") for line in text.replace("\n", "\r").split("\r") if line.strip()]


def _field(segments: list[list[str]], name: str, number: int) -> str:
    """A field of the first such segment. MSH-1 is the sign itself."""
    for segment in segments:
        if segment[0] == name:
            place = number - 1 if name == "MSH" else number
            return segment[place] if place < len(segment) else ""
    return ""


def _tubes(segments: list[list[str]]) -> list[dict[str, str]]:
    """Every OBR with the SPM behind it."""
    found: list[dict[str, str]] = []
    for segment in segments:
        if segment[0] == "OBR":
            code, _, name = segment[4].partition("^")
            seq = segment[19] if len(segment) > 19 else ""
            found.append(
                {"order_no": segment[2], "code": code, "name": _plain(name.split("^")[0]), "seq": seq, "barcode": ""}
            )
        if segment[0] == "SPM" and found:
            found[-1]["barcode"] = segment[2]
    return found


def _plain(text: str) -> str:
    for sign, escaped in (("|", "\\F\\"), ("^", "\\S\\"), ("~", "\\R\\"), ("&", "\\T\\"), ("\\", "\\E\\")):
        text = text.replace(escaped, sign)
    return text


def _escaped(text: str) -> str:
    for sign, escaped in (("\\", "\\E\\"), ("|", "\\F\\"), ("^", "\\S\\"), ("~", "\\R\\"), ("&", "\\T\\")):
        text = text.replace(sign, escaped)
    return text


def _now() -> str:
    return f"{datetime.now(HOSPITAL_TIME):%Y%m%d%H%M%S}"


def _patient(order: Record) -> tuple[str, str]:
    patient = order["patient"]
    sex = {"1": "M", "2": "F"}.get(patient["sex"], "O")
    kind = {"1": "O", "2": "E", "3": "I"}.get(patient["visit_type"], "U")
    return (
        f"PID|1||{patient['patient_id']}^^^^PI||{_escaped(patient['name'])}|||{sex}",
        "PV1|1|" + kind + "|" * 17 + patient["visit_no"],
    )


def _acknowledged(question: Question, code: str, text: str, exam_no: str = "") -> Said:
    segments = _segments(question.payload)
    number = _field(segments, "MSH", 10)
    kind = "ORR^O02" if exam_no else "ACK"
    lines = [
        f"MSH|^~\\&|LIS||GATEWAY||{_now()}||{kind}|{new_number('A')}|P|2.4",
        f"MSA|{code}|{number}|{_escaped(text)}",
    ]
    if exam_no:
        lines.append(f"ORC|OK||{exam_no}|{_field(segments, 'ORC', 4)}")
    return Said("\r".join(lines) + "\r", code, text)
