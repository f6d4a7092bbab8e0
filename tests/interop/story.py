"""The messages of wsdl/samples/ as the toolkits take them: nested names and values, with numbers of their own."""

from __future__ import annotations

from typing import Any

from lxml import etree

from gateway.contract import Contract

CONTRACT = Contract()
OPERATIONS = [operation.name for operation in CONTRACT.operations]

Message = dict[str, Any]


def renumbered(operation: str, number: int) -> bytes:
    """The sample with the numbers of another day and visit, the same for every operation with the same `number`."""
    text = CONTRACT.sample(operation).read_text(encoding="utf-8")
    return text.replace("20261116", f"{number:08d}").replace("ZY20260012345", f"ZY{number:011d}").encode()


def request_in(envelope: bytes) -> etree._Element:
    return etree.fromstring(envelope).find("{*}Body")[0][0]


def fresh(operation: str, number: int) -> Message:
    """The request of a renumbered sample as nested names and values.

    Texts stay texts, a boolean is one, and a picture is {"base64": its text}, because every toolkit wants its bytes in
    another form.
    """
    return _plain(request_in(renumbered(operation, number)), f"{operation}Request")


def sender(message: Message) -> str:
    return str(message["Header"]["SenderCode"])


def values(message: Any, name: str) -> list[str]:
    """Every value of a field anywhere in a message, in order: one element or a list of one is all the same."""
    if isinstance(message, list):
        return [found for one in message for found in values(one, name)]
    if not isinstance(message, dict):
        return []
    return [
        found
        for key, value in message.items()
        for found in ([value] if key == name and not isinstance(value, dict | list) else values(value, name))
    ]


def _plain(element: etree._Element, type_name: str) -> Any:
    fields = {field.name: field for field in CONTRACT.message_types[type_name].fields}
    found: Message = {}
    for child in element:
        field = fields[etree.QName(child).localname]
        value = _value(child, field.type_name)
        if field.max_occurs > 1:
            found.setdefault(field.name, []).append(value)
        else:
            found[field.name] = value
    return found


def _value(element: etree._Element, type_name: str) -> Any:
    if type_name in CONTRACT.message_types:
        return _plain(element, type_name)
    primitive = CONTRACT.primitive_of(type_name)
    if primitive == "boolean":
        return element.text == "true"
    return {"base64": element.text} if primitive == "base64Binary" else element.text
