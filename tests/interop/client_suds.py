"""suds-community as a regional platform would use it: a job from standard input, outcomes to standard output."""

import json
import sys
from typing import Any

from suds import WebFault
from suds.client import Client
from suds.sudsobject import Object, asdict


def with_text(value: Any) -> Any:
    """suds writes base64Binary as it is given."""
    if isinstance(value, list):
        return [with_text(one) for one in value]
    if not isinstance(value, dict):
        return value
    return value["base64"] if "base64" in value else {k: with_text(v) for k, v in value.items()}


def plain(value: Any) -> Any:
    if isinstance(value, Object):
        return {name: plain(one) for name, one in asdict(value).items()}
    return [plain(one) for one in value] if isinstance(value, list) else value


job = json.load(sys.stdin)
client = Client(job["wsdl"], cache=None)
outcomes: list[dict[str, Any]] = []
for call in job["calls"]:
    header = client.factory.create("AuthHeader")
    header.Username, header.Password = call["username"], call["password"]
    client.set_options(soapheaders=header)
    try:
        outcomes.append(
            {"answer": plain(getattr(client.service, call["operation"])(Request=with_text(call["request"])))}
        )
    except WebFault as problem:
        outcomes.append({"fault": {"text": str(problem.fault.faultstring), **plain(problem.fault.detail.GatewayFault)}})
json.dump(outcomes, sys.stdout, default=str)
