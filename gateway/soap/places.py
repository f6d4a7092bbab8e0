"""Where an element of a message stands and what the contract says about it: its path, its Chinese name, its type."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import Any

from lxml import etree

from gateway.contract import NAMESPACE, Contract, Field, MessageType

LONGEST_NAME = 64
"""So much of a name that is not in the contract is shown."""


class Reference:
    """The contract by element, with a schema of its own: lxml keeps the errors of a check in the schema object."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self._schema = etree.XMLSchema(etree.parse(contract.folder / "xsd" / "gateway.xsd"))
        self._lock = Lock()
        self.wrappers = {kind.name: kind for kind in _wrappers(contract)}
        self._fields = {
            kind.name: {f"{{{NAMESPACE}}}{field.name}": field for field in kind.fields}
            for kind in (*contract.message_types.values(), *self.wrappers.values())
        }

    def first_error(self, wrapper: etree._Element) -> Any:
        with self._lock:
            self._schema.validate(wrapper)
            return next(iter(self._schema.error_log), None)

    def fields(self, kind: MessageType) -> dict[str, Field]:
        return self._fields[kind.name]

    def kind_of(self, field: Field) -> MessageType | None:
        return self.contract.message_types.get(field.type_name)

    def chinese(self, field: Field) -> str:
        """A field's Chinese name, without what stands in brackets; the children of lists have their type's."""
        kind = self.kind_of(field)
        return (field.chinese or (kind.chinese if kind else "")).partition("（")[0].partition("：")[0]


@lru_cache(maxsize=4)
def reference_of(contract: Contract) -> Reference:
    return Reference(contract)


def _wrappers(contract: Contract) -> list[MessageType]:
    """The elements a message may start with, as types of one field."""
    made = []
    for operation in contract.operations:
        request = Field("Request", operation.request_type, False, None, "请求", "request")
        response = Field("Response", operation.response_type, False, None, "应答", "response")
        for suffix, field in (("", request), ("Response", response)):
            # A tag as its name, so that no type of the contract has the same.
            tag = f"{{{NAMESPACE}}}{operation.name}{suffix}"
            made.append(MessageType(tag, (field,), False, "gateway", operation.chinese, operation.english))
    return made


@dataclass(frozen=True, slots=True)
class Place:
    """An element of the message: where it stands and what the contract says about it."""

    element: etree._Element
    field: Field | None
    """None for the wrapper and for an element the contract does not know."""
    kind: MessageType | None
    """Its type if it has children of its own."""
    path: str


def place_of(reference: Reference, wrapper: etree._Element, element: etree._Element) -> Place:
    """An element of the message with its path, numbered within lists: Request/Items/Item[2]/Quantity."""
    if element is wrapper:
        return Place(element, None, reference.wrappers[element.tag], "")
    parent = place_of(reference, wrapper, element.getparent())
    field = reference.fields(parent.kind).get(element.tag) if parent.kind else None
    step = local_name(element)
    if parent.kind is not None and parent.kind.is_list and field is not None:
        step += f"[{len(list(element.itersiblings(element.tag, preceding=True))) + 1}]"
    kind = reference.kind_of(field) if field else None
    return Place(element, field, kind, f"{parent.path}/{step}".lstrip("/"))


def local_name(element: etree._Element) -> str:
    """A name as the sender wrote it, cut; names of the contract are shorter."""
    return str(etree.QName(element).localname)[:LONGEST_NAME]
