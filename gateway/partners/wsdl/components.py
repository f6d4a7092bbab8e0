"""What the files of a WSDL define, by kind and full name, and every place where one of them names it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from lxml import etree

from gateway.partners.wsdl.names import KINDS, REFERENCES, WSDL, WSDL_ARRAY, XS, full, local, namespace_of
from gateway.partners.wsdl.reading import Part

SCHEMA_KINDS = {
    XS + "element": "element",
    XS + "complexType": "type",
    XS + "simpleType": "type",
    XS + "attribute": "attribute",
    XS + "group": "group",
    XS + "attributeGroup": "attributeGroup",
}
WSDL_KINDS = {WSDL + "message": "message", WSDL + "portType": "portType", WSDL + "binding": "binding"}


@dataclass(frozen=True, slots=True)
class Reference:
    """One name in an attribute that stands for something defined elsewhere."""

    part: Part
    element: etree._Element
    attribute: str
    kind: str
    name: str
    homes: tuple[str | None, ...]
    """The namespaces a name without one may belong to here."""

    def rewrite(self, name: str) -> None:
        """Let it name something else; an array keeps its brackets, a union its other members."""
        value = self.element.get(self.attribute, "")
        words = [name if _plain(word) == self.name else word for word in value.split()]
        if self.attribute == WSDL_ARRAY:
            words = [name + value[len(_plain(value)) :]]
        self.element.set(self.attribute, " ".join(words))


@dataclass
class Components:
    """Everything that is defined, by kind and full name."""

    defined: dict[str, dict[str, etree._Element]] = field(default_factory=lambda: defaultdict(dict))
    homes: dict[etree._Element, tuple[str | None, ...]] = field(default_factory=dict)
    """Schema -> its namespace, or those of the schemas that include it."""

    def has(self, kind: str, name: str) -> bool:
        return name in self.defined[kind]

    def with_local_name(self, kind: str, name: str, any_case: bool = False) -> list[str]:
        """All full names of a kind that end so."""
        if any_case:
            return [known for known in self.defined[kind] if local(known).casefold() == name.casefold()]
        return [known for known in self.defined[kind] if local(known) == name]


def components(parts: list[Part]) -> Components:
    """Look at all files at once."""
    found = Components(homes=_homes(parts))
    for schema, namespaces in found.homes.items():
        for child in schema.iterchildren(*SCHEMA_KINDS):
            name = child.get("name")
            for namespace in namespaces if name else ():
                found.defined[SCHEMA_KINDS[child.tag]].setdefault(full(namespace, name), child)
    for part in parts:
        if part.is_wsdl:
            for child in part.root.iterchildren(*WSDL_KINDS):
                found.defined[WSDL_KINDS[child.tag]].setdefault(full(part.namespace, child.get("name", "")), child)
    return found


def _homes(parts: list[Part]) -> dict[etree._Element, tuple[str | None, ...]]:
    """A schema without namespace that is included takes that of whoever includes it."""
    files = {part.name: part.root for part in parts if not part.is_wsdl}
    homes: dict[etree._Element, set[str | None]] = {}
    for part in parts:
        for schema in part.schemas():
            homes[schema] = {schema.get("targetNamespace") or None}
    for _ in range(10):
        before = {schema: set(names) for schema, names in homes.items()}
        for schema in homes:
            for include in schema.iterchildren(XS + "include"):
                included = files.get(include.get("schemaLocation", ""))
                if included is not None and not included.get("targetNamespace"):
                    homes[included] |= homes[schema] - {None}
        if before == homes:
            break
    return {
        schema: tuple(sorted(names - {None} if len(names) > 1 else names, key=str)) for schema, names in homes.items()
    }


def references(parts: list[Part], found: Components) -> Iterator[Reference]:
    """Every name in the schemas and in the WSDLs that refers to something."""
    for part in parts:
        for schema in part.schemas():
            for element in schema.iter(*_IN_SCHEMAS):
                yield from _of_element(part, element, found.homes[schema])
        if part.is_wsdl:
            for child in part.root.iterchildren("*"):
                if child.tag != WSDL + "types":
                    for element in child.iter("*"):
                        yield from _of_element(part, element, (part.namespace, None))


_IN_SCHEMAS = tuple(sorted({tag for tag, _ in KINDS if tag.startswith(XS)}))


def _of_element(part: Part, element: etree._Element, homes: tuple[str | None, ...]) -> Iterator[Reference]:
    for attribute in REFERENCES.get(element.tag, ()):
        value = element.get(attribute)
        for name in value.split() if value else ():
            yield Reference(part, element, attribute, KINDS[element.tag, attribute], name, homes)
    array = element.get(WSDL_ARRAY)
    if array and element.tag == XS + "attribute":
        yield Reference(part, element, WSDL_ARRAY, "type", _plain(array), homes)


def _plain(name: str) -> str:
    return (
        re.sub(r"\[.*\Z", "", name)
        if "}" not in name
        else name[: name.index("}") + 1] + re.sub(r"\[.*\Z", "", name[name.index("}") + 1 :])
    )


def used_namespaces(schema: etree._Element, found: Components, part: Part) -> set[str]:
    """The namespaces of everything a schema refers to."""
    used = set()
    for element in schema.iter(*_IN_SCHEMAS):
        for reference in _of_element(part, element, found.homes[schema]):
            if namespace := namespace_of(reference.name):
                used.add(namespace)
    return used
