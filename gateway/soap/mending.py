"""Mends requests that say clearly what they mean and not quite in the way of the contract.

Nothing comes here unless the schema has refused it, or control characters had to be marked; so the plain message pays
nothing. What is mended is where an element belongs and how it is wrapped, never a value: only from free text control
characters are taken.
"""

from __future__ import annotations

from lxml import etree

from gateway.contract import NAMESPACE, PRIMITIVES, Contract, Field, MessageType
from gateway.errors import InvalidMessage
from gateway.soap.control_characters import MARK, blanks
from gateway.soap.places import Reference, local_name, place_of, reference_of
from gateway.soap.references import ENCODING_11, ENCODING_12
from gateway.soap.repairs import Repair, Repairs

XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
TYPE_NAMESPACES = frozenset(
    {
        "http://www.w3.org/2001/XMLSchema",
        "http://www.w3.org/2000/10/XMLSchema",
        "http://www.w3.org/1999/XMLSchema",
        NAMESPACE,
        ENCODING_11,
    }
)
"""Of types that only repeat the contract."""
ENCODING_STYLES = tuple(
    f"{{{namespace}}}encodingStyle"
    for namespace in ("http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope")
)
BASE64 = ("base64Binary", "base64")
PARAMETERS = "parameters"
"""What rpc clients call the one part of our messages, after the WSDL."""
_NEAR = frozenset({"", "http://tempuri.org", NAMESPACE.lower()})
_ARRAY_TYPES = (f"{{{ENCODING_11}}}arrayType", f"{{{ENCODING_12}}}arraySize", f"{{{ENCODING_12}}}itemType")

_marked = etree.XPath(f".//*[text()[contains(., '{MARK}')]]")


def is_near(namespace: str | None) -> bool:
    """Whether a program that writes this namespace can only mean ours."""
    return (namespace or "").strip().rstrip("/#").lower() in _NEAR


def wrapper_tag(contract: Contract, wrapper: etree._Element) -> str | None:
    """The operation's tag of a wrapper in a namespace near ours; None for any other wrapper."""
    name = etree.QName(wrapper)
    known = any(operation.name == name.localname for operation in contract.operations)
    return f"{{{NAMESPACE}}}{name.localname}" if known and is_near(name.namespace) else None


def mend(contract: Contract, wrapper: etree._Element) -> Repairs:
    """Give the elements of a request the places they can only have, in place; what had to be done."""
    reference, done = reference_of(contract), Repairs()
    if wrapper.tag not in reference.wrappers:
        tag = wrapper_tag(contract, wrapper)
        if tag is None:
            return done
        wrapper.tag = tag
        done.add(Repair.NAMESPACE)
    _drop_styles(wrapper, done)
    if len(wrapper) == 1 and local_name(wrapper[0]) == PARAMETERS and not wrapper[0].attrib:
        wrapper[:] = list(wrapper[0])
        done.add(Repair.ENCODING)
    _mend_children(reference, wrapper, reference.wrappers[wrapper.tag], done)
    return done


def _mend_children(reference: Reference, element: etree._Element, kind: MessageType, done: Repairs) -> None:
    fields = reference.fields(kind)
    if kind.is_list and _is_array(element):
        for child in element:
            child.tag = f"{{{NAMESPACE}}}{kind.fields[0].name}"
        done.add(Repair.ENCODING)
    for child in element:
        name = etree.QName(child)
        if name.namespace != NAMESPACE and is_near(name.namespace):
            child.tag = f"{{{NAMESPACE}}}{name.localname}"
            done.add(Repair.NAMESPACE)
        field = fields.get(child.tag)
        if field is None:
            continue
        if child.attrib:
            _drop_styles(child, done)
        if XSI_TYPE in child.attrib:
            _look_at_type(reference.contract, child, field, done)
        inner = reference.kind_of(field)
        if inner is not None:
            _mend_children(reference, child, inner, done)


def _drop_styles(element: etree._Element, done: Repairs) -> None:
    for name in ENCODING_STYLES:
        if name in element.attrib:
            del element.attrib[name]
            done.add(Repair.ENCODING)


def _look_at_type(contract: Contract, element: etree._Element, field: Field, done: Repairs) -> None:
    """Drop an xsi:type that repeats the contract, be it by another name. InvalidMessage for a text sent as base64."""
    prefix, _, said = element.get(XSI_TYPE, "").strip().rpartition(":")
    repeats = said not in (*BASE64, "Array") and element.nsmap.get(prefix or None) in TYPE_NAMESPACES
    is_base64 = field.type_name in contract.value_types or field.type_name in PRIMITIVES
    is_base64 = is_base64 and contract.primitive_of(field.type_name) == "base64Binary"
    if repeats or said == field.type_name or (said in BASE64 and is_base64):
        del element.attrib[XSI_TYPE]
        done.add(Repair.ENCODING)
    elif said in BASE64:
        # SOAP::Lite turns every Chinese text into base64, which would be stored as the patient's name.
        raise InvalidMessage(
            f"元素 {field.name} 标为 base64Binary：请在 SOAP::Lite 中注明类型 SOAP::Data->type('string')。",
            f"Element {field.name} is marked base64Binary: SOAP::Lite guessed; state SOAP::Data->type('string').",
            path=field.name,
        )


def _is_array(element: etree._Element) -> bool:
    """Whether it is an array of SOAP encoding, whose children may have any name; takes its marks away."""
    marks = [name for name in _ARRAY_TYPES if name in element.attrib]
    if element.get(XSI_TYPE, "").strip().rpartition(":")[2] == "Array":
        marks.append(XSI_TYPE)
    for mark in marks:
        del element.attrib[mark]
    return bool(marks)


def clean(contract: Contract, wrapper: etree._Element) -> None:
    """Put blanks where control characters stood in free text. InvalidMessage where they stood in anything else."""
    reference = reference_of(contract)
    for element in _marked(wrapper):
        place = place_of(reference, wrapper, element) if wrapper.tag in reference.wrappers else None
        field = place.field if place is not None else None
        if len(element) or field is None or contract.primitive_of(field.type_name) != "string":
            name = field.name if field is not None else local_name(element)
            raise InvalidMessage(
                f"{name} 含有控制字符；只有文字说明中的控制字符会被替换。",
                f"{name} holds a control character, which is only taken out of free text.",
                path=place.path if place is not None else name,
            )
        element.text = blanks(element.text)
