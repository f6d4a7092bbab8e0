"""zeep as a research platform would use it: a job from standard input, outcomes to standard output."""

import base64
import json
import sys
from typing import Any

from zeep import Client
from zeep.exceptions import Fault
from zeep.helpers import serialize_object

FAULT = "{urn:hospital-gateway:v1}GatewayFault"


def with_bytes(value: Any) -> Any:
    """zeep encodes bytes itself."""
    if isinstance(value, list):
        return [with_bytes(one) for one in value]
    if not isinstance(value, dict):
        return value
    return base64.b64decode(value["base64"]) if "base64" in value else {k: with_bytes(v) for k, v in value.items()}


job = json.load(sys.stdin)
client = Client(job["wsdl"])
fault_type = client.get_element(FAULT)
outcomes: list[dict[str, Any]] = []
for call in job["calls"]:
    header = {"AuthHeader": {"Username": call["username"], "Password": call["password"]}}
    try:
        answer = client.service[call["operation"]](Request=with_bytes(call["request"]), _soapheaders=header)
        outcomes.append({"answer": serialize_object(answer, dict)})
    except Fault as fault:
        typed = fault_type.parse(fault.detail.find(f".//{FAULT}"), client.wsdl.types)
        outcomes.append({"fault": {"text": fault.message, **serialize_object(typed, dict)}})
json.dump(outcomes, sys.stdout, default=str)
