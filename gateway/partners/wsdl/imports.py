"""Lets every import lead to a file of the folder: the partner's own, one beside the WSDL, or ours of a standard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from lxml import etree

from gateway.partners.wsdl.components import components, used_namespaces
from gateway.partners.wsdl.names import ENCODING, UNDECLARED, WSDL, XS, XSD, XSI, namespace_of
from gateway.partners.wsdl.reading import Part

ALWAYS_KNOWN = {XSD, XSI}


@dataclass(frozen=True, slots=True)
class Missing:
    """An import whose file could not be had."""

    part: Part
    line: int
    namespace: str | None
    location: str
    why: str


class Collection(Protocol):
    """The files of a WSDL, and where more may come from."""

    parts: list[Part]
    missing: list[Missing]

    def standard(self, namespace: str) -> Part | None: ...

    def beside(self, namespace: str) -> Part | None: ...

    def follow(self) -> None: ...


def mend_imports(collection: Collection) -> None:
    """Give each import a file where there is one, and add the imports that were forgotten."""
    for part in collection.parts:
        for schema in part.schemas():
            _drop_needless(part, schema)
    done: set[int] = set()
    while len(done) < len(collection.parts):
        for part in [part for part in collection.parts if id(part) not in done]:
            done.add(id(part))
            for schema in part.schemas():
                _complete(collection, part, schema)
            if part.is_wsdl:
                _complete_wsdl(collection, part)
    for part in collection.parts:
        for schema in part.schemas():
            _import_itself(part, schema)
    provided = {schema.get("targetNamespace") for part in collection.parts for schema in part.schemas()}
    collection.missing[:] = [
        one for one in collection.missing if one.namespace is None or one.namespace not in provided | ALWAYS_KNOWN
    ]


def _drop_needless(part: Part, schema: etree._Element) -> None:
    own = schema.get("targetNamespace") or None
    seen = set()
    for link in schema.findall(f"{XS}include[@schemaLocation='{part.name}']"):
        part.repairs.append("dropped the include of a schema into itself")
        schema.remove(link)
    for link in list(schema.iterchildren(XS + "import")):
        namespace = link.get("namespace") or None
        if "namespace" in link.attrib and namespace is None:
            del link.attrib["namespace"]
        same = (namespace, link.get("schemaLocation"))
        if namespace in ALWAYS_KNOWN:
            part.repairs.append(f"dropped the import of {namespace}, which is always known")
            schema.remove(link)
        elif same in seen:
            part.repairs.append(f"dropped an import of {namespace} that stands twice")
            schema.remove(link)
        elif namespace == own:
            _own_namespace(part, schema, link)
        seen.add(same)


def _own_namespace(part: Part, schema: etree._Element, link: etree._Element) -> None:
    """A schema that imports its own namespace means to include."""
    location = link.get("schemaLocation")
    schema.remove(link)
    if location and location != part.name:
        schema.insert(0, etree.Element(XS + "include", schemaLocation=location))
        part.repairs.append(f"included {location}, which was imported into its own namespace")
    else:
        part.repairs.append("dropped the import of a schema into itself")


def _import_itself(part: Part, schema: etree._Element) -> None:
    """zeep fetches SOAP encoding from the network for every schema that uses and does not import it, itself too."""
    if schema.get("targetNamespace") == ENCODING:
        schema.insert(0, etree.Element(XS + "import", namespace=ENCODING, schemaLocation=part.name))


def _complete(collection: Collection, part: Part, schema: etree._Element) -> None:
    """Locations for imports without one, and imports of what is used."""
    own = schema.get("targetNamespace") or None
    links = {link.get("namespace"): link for link in schema.iterchildren(XS + "import")}
    for namespace, link in links.items():
        if namespace and not link.get("schemaLocation"):
            _locate(collection, part, link, namespace)
    used = used_namespaces(schema, components(collection.parts), part)
    for namespace in sorted(used - {own, XSD} - {known for known in links if known}):
        if namespace.startswith(UNDECLARED):
            continue
        link = etree.Element(XS + "import", namespace=namespace)
        before = len(part.repairs)
        if _locate(collection, part, link, namespace, new=True):
            schema.insert(0, link)
            if len(part.repairs) == before:
                part.repairs.append(f"added the forgotten import of {namespace}")


def _locate(collection: Collection, part: Part, link: etree._Element, namespace: str, new: bool = False) -> bool:
    """Give an import its file; whether the namespace is provided at all."""
    if any(
        schema.get("targetNamespace") == namespace
        for one in collection.parts
        if one.is_wsdl
        for schema in one.schemas()
    ):
        return True
    file = next(
        (one for one in collection.parts if not one.is_wsdl and one.namespace == namespace and one is not part), None
    )
    if file is None:
        file = collection.beside(namespace)
        what = "which lies beside the WSDL"
        if file is None:
            file, what = collection.standard(namespace), "our own copy"
        if file is None:
            return False
        collection.follow()
        link.set("schemaLocation", file.name)
        part.repairs.append(
            f"{'added an import of' if new else 'completed the import of'} {namespace} ({file.name}, {what})"
        )
        return True
    link.set("schemaLocation", file.name)
    return True


def _complete_wsdl(collection: Collection, part: Part) -> None:
    """What messages refer to without any schema that imports it, such as soapenc:Array."""
    provided = {schema.get("targetNamespace") for one in collection.parts for schema in one.schemas()} | ALWAYS_KNOWN
    used = {
        namespace_of(node.get(attribute))
        for node in part.root.iterfind(f"{WSDL}message/{WSDL}part")
        for attribute in ("type", "element")
        if node.get(attribute)
    }
    for namespace in sorted(str(name) for name in used - provided - {None}):
        link = etree.Element(XS + "import", namespace=namespace)
        if not namespace.startswith(UNDECLARED) and _locate(collection, part, link, namespace, new=True):
            types = part.root.find(WSDL + "types")
            if types is None:
                types = etree.Element(WSDL + "types")
                part.root.insert(0, types)
            schema = etree.SubElement(types, XS + "schema")
            schema.append(link)
