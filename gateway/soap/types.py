"""The messages of the contract as Spyne's types: names, order and occurrence, read from xsd/ at the start of a process.

They make Spyne's interface only. Values are checked by the XSD and converted by gateway/messages/wire.py, so no facet
is repeated here and nobody writes a Spyne class by hand.
"""

from __future__ import annotations

from typing import Any

from gateway.contract import NAMESPACE, Contract, Field
from gateway.soap.spyne_import import (
    Boolean,
    ByteArray,
    ComplexModel,
    Date,
    DateTime,
    Decimal,
    Integer32,
    TypeInfo,
    Unicode,
)

PRIMITIVES: dict[str, Any] = {
    "string": Unicode,
    "token": Unicode,
    "int": Integer32,
    "decimal": Decimal,
    "date": Date,
    "dateTime": DateTime,
    "boolean": Boolean,
    "base64Binary": ByteArray,
}


class Types:
    """Spyne's type for every type of the contract, by its name; each is made once."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._made: dict[str, Any] = {}

    def __getitem__(self, type_name: str) -> Any:
        if type_name not in self._made:
            self._made[type_name] = self._make(type_name)
        return self._made[type_name]

    def _make(self, type_name: str) -> Any:
        message = self._contract.message_types.get(type_name)
        if message is None:
            primitive = PRIMITIVES[self._contract.primitive_of(type_name)]
            named = type_name in self._contract.value_types
            return primitive.customize(type_name=type_name, __namespace__=NAMESPACE) if named else primitive
        members = TypeInfo((field.name, self._member(field)) for field in message.fields)
        return ComplexModel.produce(NAMESPACE, type_name, members)

    def _member(self, field: Field) -> Any:
        return self[field.type_name].customize(
            min_occurs=0 if field.optional else 1, max_occurs=field.max_occurs, nillable=False
        )
