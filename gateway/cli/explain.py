"""`gateway explain`: what is wrong with a SOAP request in a file, all of it at once, without any gateway running.

A fault names the first mistake, which is enough for a program; the person who writes one wants the whole list. The
values of the message are never shown, so the list may be sent to whoever wrote the program.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta, timezone
from pathlib import Path
from typing import Annotated, Any

import typer
from lxml import etree

from gateway.cli.terminal import FAILED, WRONG, Failure, say
from gateway.contract import NAMESPACE, Contract, MessageType
from gateway.errors import InvalidMessage, MessageFault
from gateway.messages.wire import Wire
from gateway.soap.envelope import Limits, parse_envelope
from gateway.soap.expectations import form_of
from gateway.soap.explain import explain as first_mistake
from gateway.soap.explain import normalise, unknown_operation
from gateway.soap.mending import mend, wrapper_tag
from gateway.soap.places import Place, Reference, local_name, place_of, reference_of

HOSPITAL_TIME = timezone(timedelta(hours=8))
"""Any zone will do: nothing that is read here is kept."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One line of the list."""

    path: str
    chinese: str
    """The field's Chinese name where the contract knows it."""
    problem: str
    expected: str


def add_to(app: typer.Typer) -> None:
    app.command("explain")(explain)


def explain(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A SOAP request, as it would be sent.")],
) -> None:
    """Check a SOAP request against the contract and list all its mistakes. Exit code 1 if there are any."""
    contract = Contract()
    try:
        body = file.read_bytes()
    except OSError as error:
        raise Failure(f"{file} cannot be read: {error.strerror}.", WRONG) from None
    try:
        wrapper = _request(contract, body)
    except MessageFault as fault:
        raise Failure(f"{file}: {fault.text_zh} {fault.text_en}") from None
    mistakes = mistakes_in(contract, wrapper)
    if not mistakes:
        say(f"✓ {etree.QName(wrapper).localname} keeps to the contract.")
        return
    for mistake in mistakes:
        name = f"{mistake.path} {mistake.chinese}".strip()
        say(f"✗ {name}: {mistake.problem}" + (f"; expected: {mistake.expected}" if mistake.expected else ""))
    raise Failure(f"{file} has {len(mistakes)} mistake{'s' if len(mistakes) > 1 else ''}.", FAILED)


def _request(contract: Contract, body: bytes) -> etree._Element:
    """The one request in the body of the envelope; a MessageFault if there is none."""
    limits = Limits()
    wrapper = parse_envelope(body, "", limits, huge=len(body) > limits.body_bytes).wrapper
    if wrapper_tag(contract, wrapper) is None:
        raise unknown_operation(contract, wrapper)
    return wrapper


def mistakes_in(contract: Contract, wrapper: etree._Element) -> list[Mistake]:
    """Everything that is wrong with a request, in the order of the message. What the gateway mends is no mistake."""
    import xmlschema  # takes a third of a second, which no other command needs

    if not contract.schema.validate(wrapper):
        mend(contract, wrapper)
        normalise(contract, wrapper)
    reference = reference_of(contract)
    schema = xmlschema.XMLSchema(str(contract.folder / "xsd" / "gateway.xsd"))
    found: list[Mistake] = []
    for error in schema.iter_errors(wrapper):
        found += _mistakes(reference, wrapper, error)
    found += _too_long(reference, wrapper, wrapper, reference.wrappers[wrapper.tag])
    return list(dict.fromkeys(found)) or _what_else(contract, wrapper)


def _mistakes(reference: Reference, wrapper: etree._Element, error: Any) -> Iterator[Mistake]:
    """One error of the schema in the words of the contract."""
    place = place_of(reference, wrapper, error.elem)
    if place.kind is not None and type(error).__name__ == "XMLSchemaChildrenValidationError":
        yield from _wrong_children(reference, wrapper, place, place.kind, error)
    elif type(error.validator).__name__ == "XsdAttributeGroup":
        yield _mistake(reference, place, "不能带属性 no attribute is allowed", "no attributes")
    elif place.kind is not None:
        yield _mistake(reference, place, "只能有子元素 holds elements only", _children(place.kind))
    elif place.field is not None:
        empty = not len(place.element) and not (place.element.text or "").strip()
        problem = "不能为空 is empty" if empty else "内容不对 has the wrong content"
        yield _mistake(reference, place, problem, form_of(reference.contract, place.field))


def _wrong_children(
    reference: Reference, wrapper: etree._Element, parent: Place, kind: MessageType, error: Any
) -> Iterator[Mistake]:
    """What is missing in an element, and the child that may not stand where it stands."""
    names = [local_name(child) for child in parent.element]
    missing = [field for field in kind.fields if not field.optional and field.name not in names]
    for field in missing:
        inner = reference.kind_of(field)
        form = _children(inner) if inner else form_of(reference.contract, field)
        yield Mistake(f"{parent.path}/{field.name}".lstrip("/"), reference.chinese(field), "缺少 is missing", form)
    child = error.invalid_child
    if child is None:
        return
    place = place_of(reference, wrapper, child)
    if etree.QName(child).namespace != NAMESPACE:
        yield _mistake(reference, place, "命名空间不对 is in the wrong namespace", f'xmlns="{NAMESPACE}"')
    elif place.field is None:
        yield _mistake(reference, place, "没有此元素 is unknown here", _children(kind))
    elif not missing or place.field.name in names[: error.index]:
        yield _mistake(reference, place, "位置不对或过多 is out of order or too many", _children(kind))


def _too_long(
    reference: Reference, wrapper: etree._Element, element: etree._Element, kind: MessageType
) -> Iterator[Mistake]:
    """Free text beyond the length that the contract notes beside its type."""
    fields = reference.fields(kind)
    for child in element:
        field = fields.get(child.tag)
        inner = reference.kind_of(field) if field else None
        if inner is not None:
            yield from _too_long(reference, wrapper, child, inner)
        elif field is not None and field.max_length and len(child.text or "") > field.max_length:
            place = place_of(reference, wrapper, child)
            yield _mistake(reference, place, "过长 is too long", form_of(reference.contract, field))


def _what_else(contract: Contract, wrapper: etree._Element) -> list[Mistake]:
    """The first thing the gateway itself would refuse, if the list is empty: so that empty means accepted."""
    try:
        if not contract.schema.validate(wrapper):
            raise first_mistake(contract, wrapper)
        Wire(contract, HOSPITAL_TIME).read(f"{etree.QName(wrapper).localname}Request", wrapper[0])
    except InvalidMessage as refusal:
        return [Mistake(refusal.path, "", f"{refusal.text_zh} {refusal.text_en}", refusal.expected)]
    return []


def _mistake(reference: Reference, place: Place, problem: str, expected: str) -> Mistake:
    return Mistake(place.path, reference.chinese(place.field) if place.field else "", problem, expected)


def _children(kind: MessageType) -> str:
    """The names an element holds, in their order."""
    if kind.is_list:
        return f"{kind.fields[0].name}: 1..{kind.fields[0].max_occurs}"
    return ", ".join(field.name for field in kind.fields)
