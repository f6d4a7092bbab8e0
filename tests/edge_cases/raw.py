"""A message as it stands on the wire, with something in it that no dataclass would hold."""

from typing import Any

from hospital import CONTRACT, RIGHTS, WIRE, Hospital


def send_with(hospital: Hospital, request: Any, found: str, instead: str) -> Any:
    """The response to the request with `instead` in the place of `found` in its XML; raises the fault it gets."""
    operation = type(request).__name__.removesuffix("Request")
    document = WIRE.document(operation, request)
    assert document.count(found) == 1, document
    sender = request.header.sender_code
    rights = RIGHTS.get(sender, frozenset())
    answer = hospital.door.post(document.replace(found, instead), sender, rights, request.header.message_id)
    CONTRACT.schema.assertValid(answer)
    return WIRE.read(f"{operation}ResponseType", answer[0])
