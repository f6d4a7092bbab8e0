"""Requests checked against the contract and read; whoever takes messages uses it, /soap and the facades."""

from __future__ import annotations

from collections import deque
from typing import Any

from lxml import etree

from gateway.contract import Contract
from gateway.messages.wire import Wire
from gateway.soap.explain import explain, normalise
from gateway.soap.mending import clean, mend
from gateway.soap.repairs import Repair, Repairs


class Conversion:
    """The request of a wrapper element, the wrapper element of a response; safe for any number of threads."""

    def __init__(self, contract: Contract, wire: Wire) -> None:
        self.contract = contract
        self.wire = wire
        self._request_types = {operation.name: operation.request_type for operation in contract.operations}
        # lxml keeps a check's errors in the schema, so no two threads may use one at once: who finds none makes one.
        self._free_schemas: deque[etree.XMLSchema] = deque([self._make_schema()])

    def read(self, operation: str, wrapper: etree._Element, repairs: Repairs) -> Any:
        """The request dataclass; InvalidMessage, saying where and why, if it breaks the contract.

        What can only mean one thing is mended, but only when the first check fails, and noted in `repairs`.
        """
        if Repair.CHARACTERS in repairs:
            repairs |= mend(self.contract, wrapper)
            clean(self.contract, wrapper)
        if not self._keeps_contract(wrapper) and not (self._mended(wrapper, repairs) and self._keeps_contract(wrapper)):
            raise explain(self.contract, wrapper)
        return self.wire.read(self._request_types[operation], wrapper[0])

    def _mended(self, wrapper: etree._Element, repairs: Repairs) -> bool:
        """Mend what old clients write, in place; True if anything was changed."""
        done = mend(self.contract, wrapper)
        repairs |= done
        return normalise(self.contract, wrapper) or bool(done)

    def _keeps_contract(self, wrapper: etree._Element) -> bool:
        try:
            schema = self._free_schemas.pop()
        except IndexError:
            schema = self._make_schema()
        try:
            return bool(schema.validate(wrapper))
        finally:
            self._free_schemas.append(schema)

    def _make_schema(self) -> etree.XMLSchema:
        """Takes 5 ms and 2 MB; a process needs one or two, since a check takes 0.03 ms."""
        return etree.XMLSchema(etree.parse(self.contract.folder / "xsd" / "gateway.xsd"))
