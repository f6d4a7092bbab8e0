"""Checks what would be sent against the partner's own schemas, as libxml2 understands them."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from pathlib import Path

from lxml import etree

from gateway.partners.wsdl.names import XS, XSD
from gateway.partners.wsdl.reading import Part, read
from gateway.partners.wsdl.writing import with_prefixes


class NotCheckable(Exception):
    """The schemas cannot be used for checking; the text says why, in a clause."""


def schema_of(wsdl: Path) -> etree.XMLSchema:
    """All schemas of a copied WSDL as one. Raises NotCheckable."""
    parts = [
        read(path.read_bytes(), path.name) for path in sorted(wsdl.parent.iterdir()) if path.suffix in (".wsdl", ".xsd")
    ]
    for part in parts:
        part.name = part.location
    with tempfile.TemporaryDirectory() as folder:
        driver = _written(parts, Path(folder))
        try:
            return etree.XMLSchema(etree.parse(str(driver)))
        except (etree.XMLSchemaParseError, etree.XMLSyntaxError) as problem:
            raise NotCheckable(" ".join(str(problem).split())[:300]) from None


def mistakes(schema: etree.XMLSchema, element: etree._Element) -> list[str]:
    """What is wrong with an element, one line each."""
    alone = etree.fromstring(etree.tostring(element, encoding="utf-8", with_tail=False))
    if schema.validate(alone):
        return []
    return [f"line {error.line}: {error.message}" for error in schema.error_log]


def _written(parts: list[Part], folder: Path) -> Path:
    """Every schema as a file of its own, and one that imports them all."""
    inline: dict[str | None, list[str]] = defaultdict(list)
    schemas: list[tuple[str, etree._Element]] = []
    for part in parts:
        for number, schema in enumerate(part.schemas(), 1):
            name = f"{part.name}-{number}.xsd" if part.is_wsdl else part.name
            schemas.append((name, schema))
            if part.is_wsdl and len(schema):
                inline[schema.get("targetNamespace") or None].append(name)
    included = {link.get("schemaLocation") for _, schema in schemas for link in schema.iterchildren(XS + "include")}
    namespaces: dict[str | None, str] = {}
    for name, schema in sorted(schemas, key=lambda one: one[0] in included):
        own = schema.get("targetNamespace") or None
        for link in list(schema.iterchildren(XS + "import")):
            if link.get("namespace") == own:
                schema.remove(link)
            elif not link.get("schemaLocation") and link.get("namespace") in inline:
                link.set("schemaLocation", inline[link.get("namespace")][0])
        for other in inline[own][1:] if inline[own][:1] == [name] else ():
            schema.insert(0, etree.Element(XS + "include", schemaLocation=other))
        (folder / name).write_bytes(etree.tostring(with_prefixes(schema, own), encoding="utf-8"))
        if name not in inline[own][1:]:
            namespaces.setdefault(own, name)
    driver = etree.Element(XS + "schema", nsmap={"xs": XSD})
    for namespace, name in namespaces.items():
        attributes = {"schemaLocation": name} | ({"namespace": namespace} if namespace else {})
        etree.SubElement(driver, XS + "import", attributes)
    if None in namespaces:
        driver.set("targetNamespace", "urn:hospital-gateway:driver")
    path = folder / "driver-of-all.xsd"
    path.write_bytes(etree.tostring(driver, encoding="utf-8"))
    return path
