"""Point-of-care devices (POCT): a server that only calls, in HL7 v2 over MLLP.

A device knows the wristband that was scanned, or nobody, and no visit. It sends a value again and again until somebody
presses its key, each time as a new message of the same measurement.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gateway.simulators.vendors.calling import HOSPITAL_TIME, Pipes, new_number
from gateway.simulators.vendors.vendor import Carry, Question, Send, Vendor
from gateway.styles.plain import Single
from gateway.styles.served import Served
from gateway.styles.style import Said


class Poct(Vendor):
    """Glucose meters in the wards, behind one server."""

    name = "POCT"
    path = "/poct"
    contract = Served(Single(), namespace="http://poct.example.org/", operations=("Ping",), service="Poct")

    def functions(self) -> Mapping[str, Carry]:
        return {"Ping": lambda question: Said("<pong/>", "0")}

    def refusal(self, question: Question, code: str, text: str) -> Said:
        return Said(f"<no>{text}</no>", code, text)

    def sends(self) -> Mapping[str, Send]:
        return {"PushCriticalValue": self._value}

    def _value(self, values: Mapping[str, Any]) -> Pipes:
        """`result_no` is the measurement, `value` in mmol/L; older devices send `kind` ORU^R01 for everything."""
        at = f"{datetime.now(HOSPITAL_TIME):%Y%m%d%H%M%S}"
        found_at = str(values.get("found_at") or at)
        value = float(values.get("value", "1.9"))
        flag = "LL" if value < 2.8 else "HH" if value > 22 else "N"
        person = f"PID|1||{values['patient_id']}^^^^PI" if values.get("patient_id") else "PID|1"
        segments = (
            f"MSH|^~\\&|POCT|GLU-07|GATEWAY||{values.get('sent_at') or at}||{values.get('kind', 'ORU^R40')}"
            f"|{values.get('message_id') or new_number('G')}|P|2.4||||||GB 18030-2000",
            person,
            f"OBR|1||{values.get('result_no') or new_number('GLU')}|GLU^末梢血糖|||{found_at}" + "|" * 17 + "POC|F",
            f"OBX|1|NM|GLU^末梢血糖||{value}|mmol/L|3.9-6.1|{flag}|||F|||{found_at}",
        )
        return Pipes(int(values["port"]), "\r".join(segments) + "\r")
