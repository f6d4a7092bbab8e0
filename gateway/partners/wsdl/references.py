"""Lets every name in a WSDL lead to what it means, also where its namespace is written a little differently.

`http://tempuri.org` and `http://tempuri.org/` are different namespaces, and vendors write one where they mean the
other. What is sent keeps the namespace of the definition; only the names that refer to it are changed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

from gateway.partners.wsdl.components import SCHEMA_KINDS, Components, Reference, components, references
from gateway.partners.wsdl.errors import WsdlError
from gateway.partners.wsdl.imports import Missing
from gateway.partners.wsdl.names import (
    UNDECLARED,
    WSDL,
    WSDL_ARRAY,
    XS,
    XSD,
    full,
    line_of,
    local,
    namespace_of,
)  # fmt: skip
from gateway.partners.wsdl.reading import Part

TYPES = frozenset(
    word
    for line in (
        "anyType anySimpleType string boolean decimal float double duration dateTime time date gYearMonth gYear",
        "gMonthDay gDay gMonth hexBinary base64Binary anyURI QName NOTATION normalizedString token language NMTOKEN",
        "NMTOKENS Name NCName ID IDREF IDREFS ENTITY ENTITIES integer nonPositiveInteger negativeInteger long int",
        "short byte nonNegativeInteger unsignedLong unsignedInt unsignedShort unsignedByte positiveInteger",
    )
    for word in line.split()
)
OLD_TYPES = {
    "timeInstant": "dateTime",
    "timeDuration": "duration",
    "uriReference": "anyURI",
    "ur-type": "anyType",
    "binary": "base64Binary",
    "CDATA": "normalizedString",
    "cdata": "normalizedString",
    "anyAtomicType": "anySimpleType",
    "dateTimeStamp": "dateTime",
    "dayTimeDuration": "duration",
    "yearMonthDuration": "duration",
    "datetime": "dateTime",
    "DateTime": "dateTime",
    "String": "string",
    "Integer": "integer",
    "number": "decimal",
    "Decimal": "decimal",
    "bool": "boolean",
    "Boolean": "boolean",
}
OTHER_KIND = {"element": "type", "type": "element"}


def mend(parts: list[Part], missing: list[Missing]) -> None:
    """Repair what can be repaired. Raises WsdlError when no operation would be left."""
    found = components(parts)
    told: dict[tuple[int, str, str], list[str]] = defaultdict(list)
    lost: list[Reference] = []
    for reference in list(references(parts, found)):
        better = _meant(reference, found)
        if better is None:
            lost.append(reference)
        elif better != (reference.kind, reference.name):
            _rewrite(reference, *better)
            told[id(reference.part), _place(reference), _new_place(*better)].append(
                f"{local(reference.name)}, line {line_of(reference.element)}"
            )
    by_part = {id(part): part for part in parts}
    for (part, old, new), names in told.items():
        several = f" and {len(names) - 1} more" if len(names) > 1 else ""
        by_part[part].repairs.append(f"took {old} as {new} ({names[0]}{several})")
    _settle(parts, found, lost, missing)


def _place(reference: Reference) -> str:
    namespace = namespace_of(reference.name)
    if namespace is None:
        return "names without namespace"
    if namespace.startswith(UNDECLARED):
        return f"the undeclared prefix {namespace.removeprefix(UNDECLARED)}"
    return f"xsd:{local(reference.name)}" if namespace == XSD else f"names of {namespace}"


def _new_place(kind: str, name: str) -> str:
    namespace = namespace_of(name)
    where = f"xsd:{local(name)}" if namespace == XSD else f"those of {namespace}" if namespace else "those without one"
    return where + {"type": "", "element": ""}.get(kind, "")


def _rewrite(reference: Reference, kind: str, name: str) -> None:
    if kind != reference.kind:  # a part that names a type as its element, or the other way round
        del reference.element.attrib[reference.attribute]
        reference.element.set(kind, name)
        return
    reference.rewrite(name)


def _meant(reference: Reference, found: Components) -> tuple[str, str] | None:
    """What a reference means, as kind and full name; None if nothing fits."""
    kind, name = reference.kind, reference.name
    namespace, bare = namespace_of(name), local(name)
    if found.has(kind, name):
        return kind, name
    is_part = reference.element.tag == WSDL + "part"
    if namespace == XSD:
        return _builtin(kind, bare, is_part)
    for home in reference.homes:
        if (namespace is None or namespace.startswith(UNDECLARED) or home is None) and found.has(
            kind, full(home, bare)
        ):
            return kind, full(home, bare)
    candidates = found.with_local_name(kind, bare)
    similar = [one for one in candidates if _alike(namespace_of(one)) == _alike(namespace)]
    if len(similar) == 1:
        return kind, similar[0]
    if is_part and kind in OTHER_KIND and found.has(OTHER_KIND[kind], name):
        return OTHER_KIND[kind], name
    for one in (candidates, found.with_local_name(kind, bare, any_case=True)):
        if len(one) == 1:
            return kind, one[0]
    if kind in ("portType", "binding") and len(found.defined[kind]) == 1:
        return kind, next(iter(found.defined[kind]))
    if namespace is None and kind == "type" and bare in TYPES:
        return kind, full(XSD, bare)
    own = [full(home, bare) for home in reference.homes if found.has(kind, full(home, bare))]
    return (kind, own[0]) if own else None


def _builtin(kind: str, bare: str, is_part: bool) -> tuple[str, str] | None:
    if kind == "type":
        known = bare if bare in TYPES else OLD_TYPES.get(bare, "string")
        return kind, full(XSD, known)
    if kind == "element" and is_part:
        return ("type", full(XSD, bare)) if bare in TYPES else None
    return kind, full(XSD, bare)  # <s:element ref="s:schema"/> of a DataSet


def _alike(namespace: str | None) -> str:
    """What two spellings of one namespace have in common."""
    return re.sub(r"\A(?:https?:)?/*(?:www\.)?", "", (namespace or "").strip().lower()).rstrip("/# ")


# --- What leads nowhere -----------------------------------------------------------------------------------------------


def _settle(parts: list[Part], found: Components, lost: list[Reference], missing: list[Missing]) -> None:
    """Replace what no operation needs, leave out the operations that need what is lost, or give up."""
    needed = _Needs(parts, found)
    blamed = {id(gap) for reference in lost if (gap := _gap(reference, missing))}
    for gap in missing:
        if id(gap) not in blamed:
            gap.part.repairs.append(
                f"dropped the import of {gap.namespace or gap.location} ({gap.location}, line {gap.line}: {gap.why}); "
                "nothing uses it"
            )
    without: dict[str, Reference] = {}
    for reference in lost:
        if reference.attribute == "message":
            without.setdefault(reference.name, reference)
        for message in needed.messages_with(reference.element):
            without.setdefault(message, reference)
    operations = list(_operations(parts))
    stay = [one for one in operations if one.takes not in without]
    if lost and not stay:
        raise WsdlError(_explained(next(iter(without.values()), lost[0]), missing))
    for one in operations:
        if one.takes in without:
            one.part.repairs.append(
                f"left out the operation {one.element.get('name')}: {_explained(without[one.takes], missing)}"
            )
            _leave_out(parts, one)
        else:
            _forget_answers(parts, one, without, missing)
    for part in parts:
        if part.is_wsdl:
            for node in list(part.root.iterchildren(WSDL + "message")):
                if full(part.namespace, node.get("name", "")) in without:
                    part.root.remove(node)
    for reference in lost:
        if reference.name in reference.element.get(reference.attribute, "").split():
            _replace(reference)


class _Needs:
    """Which messages need which definitions, directly or through others."""

    def __init__(self, parts: list[Part], found: Components) -> None:
        self._users: dict[etree._Element, set[etree._Element]] = defaultdict(set)
        for reference in references(parts, found):
            target = found.defined[reference.kind].get(reference.name)
            if target is not None:
                self._users[target].add(_top(reference.element))
        self._names = {element: name for name, element in found.defined["message"].items()}

    def messages_with(self, element: etree._Element) -> set[str]:
        reached, waiting = set(), [_top(element)]
        while waiting:
            one = waiting.pop()
            if one in reached:
                continue
            reached.add(one)
            waiting.extend(self._users[one])
        return {self._names[one] for one in reached if one in self._names}


def _top(element: etree._Element) -> etree._Element:
    """The global definition an element stands in."""
    while (parent := element.getparent()) is not None and parent.tag not in (XS + "schema", WSDL + "definitions"):
        element = parent
    return element


@dataclass(frozen=True, slots=True)
class _Operation:
    """An operation of a port type."""

    part: Part
    port_type: str
    element: etree._Element
    takes: str
    """The message of its input."""


def _operations(parts: list[Part]) -> Iterator[_Operation]:
    for part in parts:
        for port_type in part.root.iterchildren(WSDL + "portType") if part.is_wsdl else ():
            name = full(part.namespace, port_type.get("name", ""))
            for operation in port_type.iterchildren(WSDL + "operation"):
                taken = operation.find(WSDL + "input")
                yield _Operation(part, name, operation, "" if taken is None else taken.get("message", ""))


def _bound(parts: list[Part], operation: _Operation) -> Iterator[etree._Element]:
    """The same operation in the bindings of its port type."""
    for part in parts:
        for binding in part.root.iterchildren(WSDL + "binding") if part.is_wsdl else ():
            if binding.get("type") == operation.port_type:
                for bound in list(binding.iterchildren(WSDL + "operation")):
                    if bound.get("name") == operation.element.get("name"):
                        yield bound


def _leave_out(parts: list[Part], operation: _Operation) -> None:
    for element in (operation.element, *_bound(parts, operation)):
        element.getparent().remove(element)


def _forget_answers(
    parts: list[Part], operation: _Operation, without: dict[str, Reference], missing: list[Missing]
) -> None:
    """An answer or a fault whose form is lost: the operation can be called, and answers what nobody described."""
    for node in operation.element.findall(WSDL + "output") + operation.element.findall(WSDL + "fault"):
        lost = without.get(node.get("message", ""))
        if lost is None:
            continue
        what = local(node.tag)
        operation.part.repairs.append(
            f"does not know the {what} of {operation.element.get('name')}: {_explained(lost, missing)}"
        )
        if what == "fault":
            operation.element.remove(node)
            for bound in _bound(parts, operation):
                for fault in bound.findall(WSDL + "fault"):
                    if fault.get("name") == node.get("name"):
                        bound.remove(fault)
        else:
            node.set("message", _nothing(operation))


def _nothing(operation: _Operation) -> str:
    """A message that says nothing."""
    name = f"{operation.element.get('name')}AnswersAnything"
    part = operation.part
    if all(node.get("name") != name for node in part.root.iterchildren(WSDL + "message")):
        part.root.insert(part.root.index(operation.element.getparent()), etree.Element(WSDL + "message", name=name))
    return full(part.namespace, name)


def _replace(reference: Reference) -> None:
    """Anything goes where nobody knows what was meant; no operation that is left needs it."""
    element = reference.element
    parent = element.getparent()
    if reference.attribute in ("type", "itemType") and element.tag.startswith(XS):
        reference.rewrite(full(XSD, "anyType" if element.tag == XS + "element" else "string"))
    elif reference.attribute in ("base", "memberTypes", WSDL_ARRAY):
        simple = element.getparent().tag in (XS + "simpleType", XS + "simpleContent") or element.tag == XS + "union"
        reference.rewrite(full(XSD, "string" if simple else "anyType"))
    elif reference.attribute == "substitutionGroup":
        del element.attrib["substitutionGroup"]
    elif (parent is not None and element.tag.startswith(XS)) or (element.tag != WSDL + "part" and parent is not None):
        parent.remove(element)
    reference.part.repairs.append(
        f"replaced {local(reference.name)} of {namespace_of(reference.name) or 'no namespace'}, "
        f"line {line_of(element)}, which is defined nowhere; no operation that is left needs it"
    )


def _gap(reference: Reference, missing: list[Missing]) -> Missing | None:
    namespace = namespace_of(reference.name)
    for one in missing:
        if one.namespace == namespace or (one.namespace is None and namespace in reference.homes):
            return one
    return None


def _explained(reference: Reference, missing: list[Missing]) -> str:
    """One paragraph: which file and line, what is missing, why, what to do."""
    kind, bare, namespace = reference.kind, local(reference.name), namespace_of(reference.name)
    where = f"{reference.part.location}, line {line_of(reference.element)}: <{local(reference.element.tag)}>"
    shown = f"{kind} {bare} {f'of namespace {namespace}' if namespace else 'without namespace'}"
    if namespace and namespace.startswith(UNDECLARED):
        prefix = namespace.removeprefix(UNDECLARED)
        return (
            f"{where} refers to {prefix}:{bare}, but nothing declares the prefix {prefix}, and no file defines just "
            f"one {kind} of that name. Add xmlns:{prefix} to the root element of the file, or ask the partner."
        )
    gap = _gap(reference, missing)
    if gap is not None:
        file = re.split(r"[/\\=]", gap.location)[-1] or "schema"
        ending = ".xsd" if kind in SCHEMA_KINDS.values() else ".wsdl"
        file = file if file.lower().endswith((".xsd", ".wsdl")) else f"{file}{ending}"
        return (
            f"{where} needs the {shown}, which would come from the import in line {gap.line} of {gap.part.location}; "
            f"its location {gap.location} cannot be read: {gap.why}. Get that file from the partner, save it as {file} "
            "beside the WSDL, and give the WSDL as a file."
        )
    return (
        f"{where} refers to the {shown}, which no file of this WSDL defines and none imports. Ask the partner for the "
        "missing schema, save it beside the WSDL (it is found by its targetNamespace), and give the WSDL as a file."
    )
