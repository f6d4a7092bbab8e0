"""Writes the message classes and the closed sets from xsd/, so that nobody maintains a field twice (`make messages`).

What it writes is kept in the repository, to be read and to be checked by mypy; a test compares it with the XSD.
"""

from __future__ import annotations

from pathlib import Path

from gateway.contract import Contract, Field, MessageType, ValueType, snake_case

PYTHON_TYPES = {
    "string": "str",
    "token": "str",
    "decimal": "Decimal",
    "int": "int",
    "boolean": "bool",
    "date": "date",
    "dateTime": "datetime",
    "base64Binary": "bytes",
}
IMPORTS = {"Decimal": "decimal", "date": "datetime", "datetime": "datetime"}
WIDTH = 120


def _docstring(chinese: str, english: str) -> str:
    return f'    """{english}. {chinese.partition("：")[0]}."""'


def _python_type(contract: Contract, field: Field) -> str:
    child = contract.list_child(field.type_name)
    if child is not None:
        return f"tuple[{child.type_name}, ...]"
    name = field.type_name
    if name not in contract.message_types and not _is_closed_set(contract, name):
        name = PYTHON_TYPES[contract.primitive_of(name)]
    return f"{name} | None" if field.optional else name


def _is_closed_set(contract: Contract, name: str) -> bool:
    return name in contract.value_types and bool(contract.value_types[name].values)


def _default(contract: Contract, field: Field) -> str:
    if contract.list_child(field.type_name) is not None:
        return " = ()" if field.optional else ""
    return " = None" if field.optional else ""


def _message(contract: Contract, message: MessageType) -> list[str]:
    lines = ["", "", "@dataclass(frozen=True, slots=True, kw_only=True)", f"class {message.name}:"]
    lines += [_docstring(message.chinese, message.english), ""]
    for field in message.fields:
        lines.append(f"    {field.attribute}: {_python_type(contract, field)}{_default(contract, field)}")
    return lines


def module_text(contract: Contract, module: str) -> str:
    """The source of one module of messages: the classes of one file of xsd/."""
    messages = [m for m in contract.message_types.values() if m.module == module and not m.is_list]
    body = [line for message in messages for line in _message(contract, message)]
    used = {contract.list_child(f.type_name) or f for m in messages for f in m.fields}
    types = {f.type_name for f in used}
    head = [
        f'"""{_title(contract, module)} Made from xsd/{module}.xsd by generate.py; change the XSD, not this file."""'
    ]
    head += ["", "from __future__ import annotations", "", "from dataclasses import dataclass"]
    names = {PYTHON_TYPES[contract.primitive_of(t)] for t in types if t not in contract.message_types}
    for source in ("datetime", "decimal"):
        wanted = sorted(n for n, m in IMPORTS.items() if m == source and n in names)
        head += [f"from {source} import {', '.join(wanted)}"] if wanted else []
    ours: dict[str, set[str]] = {}
    for name in types:
        if name in contract.message_types and contract.message_types[name].module != module:
            ours.setdefault(f"gateway.messages.{contract.message_types[name].module}", set()).add(name)
        elif _is_closed_set(contract, name):
            ours.setdefault("gateway.terms", set()).add(name)
    head += [""] if ours else []
    for source in sorted(ours):
        head += _import(source, sorted(ours[source]))
    return "\n".join(head + body) + "\n"


def _import(source: str, names: list[str]) -> list[str]:
    line = f"from {source} import {', '.join(names)}"
    if len(line) <= WIDTH:
        return [line]
    return [f"from {source} import ("] + [f"    {name}," for name in names] + [")"]


def _title(contract: Contract, module: str) -> str:
    texts = contract.modules[module].findall("{*}annotation/{*}documentation")
    return f"{texts[-1].text}."


def terms_text(contract: Contract) -> str:
    """The source of gateway/terms.py: every closed set of the contract."""
    lines = [
        '"""The closed sets all parts speak of. Made from xsd/ by messages/generate.py; change the XSD, not this file."""'
    ]
    lines += ["", "from __future__ import annotations", "", "from enum import StrEnum"]
    for closed in contract.value_types.values():
        if closed.values:
            lines += _closed_set(closed)
    return "\n".join(lines) + "\n"


def _closed_set(closed: ValueType) -> list[str]:
    lines = ["", "", f"class {closed.name}(StrEnum):", _docstring(closed.chinese, closed.english), ""]
    for value, name, chinese, english in closed.values:
        member = name if name.isidentifier() else f"CODE_{name}"
        lines += [f'    {member} = "{value}"', f'    """{english}. {chinese}."""']
    return lines


def files(contract: Contract) -> dict[Path, str]:
    """Every file this module writes, with its text."""
    here = Path(__file__).parent
    texts = {here / f"{snake_case(m)}.py": module_text(contract, m) for m in contract.modules if m != "gateway"}
    return texts | {here.parent / "terms.py": terms_text(contract)}


if __name__ == "__main__":
    for path, text in files(Contract()).items():
        path.write_text(text, encoding="utf-8")
