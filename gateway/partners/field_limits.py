"""What a partner takes of a field, kept to before a message is mapped for it: refused loudly, or an address instead.

Nothing is ever cut off: half a report reads like a whole one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from gateway.contract import Contract, Field, snake_case
from gateway.partner_config import FieldLimit

_NUMBER = re.compile(r"\{([A-Za-z/]+)\}")


class FieldTooLong(Exception):
    """A message has more in a field than the partner takes. The text says where and how much, and nothing of it."""


class FieldLimits:
    """The limits of one partner; any number of threads may use it."""

    def __init__(self, limits: Iterable[FieldLimit], contract: Contract, charset: str) -> None:
        self._limits = tuple(limits)
        self._contract = contract
        # What is called gb2312 or gbk in the field is GB18030, with which both agree where they know a character.
        self._charset = "gb18030" if charset.lower().startswith("gb") else charset

    def kept(self, operation: str, request: Any) -> Any:
        """The request as this partner takes it. Raises FieldTooLong."""
        for limit in self._limits:
            if limit.operation in (None, operation):
                request = self._changed(f"{operation}Request", request, limit.path.split("/"), limit, request)
        return request

    def _changed(self, type_name: str, message: Any, path: list[str], limit: FieldLimit, request: Any) -> Any:
        field = _field(self._contract, type_name, path[0])
        value = getattr(message, field.attribute) if field is not None else None
        if field is None or value is None:
            return message
        child = self._contract.list_child(field.type_name)
        if len(path) == 1:
            fitting: Any = self._fitting(value, limit, request) if isinstance(value, str) else value
        elif child is None:
            fitting = self._changed(field.type_name, value, path[1:], limit, request)
        elif path[1] == child.name and len(path) > 2:
            fitting = tuple(self._changed(child.type_name, one, path[2:], limit, request) for one in value)
        else:
            return message
        return message if fitting == value else replace(message, **{field.attribute: fitting})

    def _fitting(self, value: str, limit: FieldLimit, request: Any) -> str:
        size = self._size(value, limit)
        if size <= limit.length:
            return value
        said = f"{limit.path} has {size} {limit.unit}, the partner takes {limit.length}"
        if limit.url is None:
            raise FieldTooLong(said)
        address = _NUMBER.sub(lambda found: _number(request, found[1], said), limit.url)
        if self._size(address, limit) > limit.length:
            raise FieldTooLong(f"{said}, and the address that is sent instead is longer, too")
        return address

    def _size(self, value: str, limit: FieldLimit) -> int:
        return len(value) if limit.unit == "characters" else len(value.encode(self._charset, "replace"))


def unknown_fields(limits: Iterable[FieldLimit], contract: Contract) -> Iterator[str]:
    """What a partner.toml says of fields that the contract has not."""
    every = [operation.name for operation in contract.operations]
    for limit in limits:
        if limit.operation is not None and limit.operation not in every:
            yield f"fields: there is no operation {limit.operation}"
            continue
        operations = every if limit.operation is None else [limit.operation]
        where = f" of {limit.operation}" if limit.operation else ""
        holders = [name for name in operations if _leads_to_text(contract, f"{name}Request", limit.path.split("/"))]
        if not holders:
            yield f"fields: {limit.path} is no field of text{where}: write it as below Request in the contract"
        for number in _NUMBER.findall(limit.url or ""):
            for name in holders:
                if not _leads_to_text(contract, f"{name}Request", number.split("/"), lists=False):
                    yield f"fields: {name} has no {number}, which the url of {limit.path} needs"


def _leads_to_text(contract: Contract, type_name: str, path: list[str], *, lists: bool = True) -> bool:
    field = _field(contract, type_name, path[0])
    if field is None:
        return False
    child = contract.list_child(field.type_name)
    if child is not None:
        return lists and len(path) > 2 and path[1] == child.name and _leads_to_text(contract, child.type_name, path[2:])
    if field.type_name in contract.message_types:
        return len(path) > 1 and _leads_to_text(contract, field.type_name, path[1:], lists=lists)
    return len(path) == 1


def _field(contract: Contract, type_name: str, name: str) -> Field | None:
    found = contract.message_types.get(type_name)
    return next((field for field in found.fields if field.name == name), None) if found is not None else None


def _number(request: Any, path: str, said: str) -> str:
    value: Any = request
    for name in path.split("/"):
        value = getattr(value, snake_case(name), None)
    if value is None or isinstance(value, tuple):
        raise FieldTooLong(f"{said}, and the message has no {path} for the address that is sent instead")
    return quote(str(value), safe="")
