"""Writes the repaired files: one prefix for each namespace, all declared at the root, no default namespace.

With every prefix declared once, a name means the same wherever it stands, and none is misread by a tool that knows only
half the rules of default namespaces.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from gateway.partners.wsdl.names import (
    ENCODING,
    HTTP,
    MIME,
    REFERENCES,
    SOAP11,
    SOAP12,
    UNDECLARED,
    WSDL_ARRAY,
    WSDL_NAMESPACE,
    XML,
    XSD,
    local,
    namespace_of,
)  # fmt: skip
from gateway.partners.wsdl.reading import Part

USUAL = {
    WSDL_NAMESPACE: "wsdl",
    XSD: "xsd",
    SOAP11: "soap",
    SOAP12: "soap12",
    HTTP: "http",
    MIME: "mime",
    ENCODING: "soapenc",
}


def documents(parts: list[Part]) -> dict[str, bytes]:
    """What is to be written, by the names of the files."""
    return {part.name: _document(part) for part in parts}


def write(documents: dict[str, bytes], folder: Path) -> None:
    """Write all files; a folder that does not exist is made."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in documents.items():
        (folder / name).write_bytes(content)


def _document(part: Part) -> bytes:
    root = with_prefixes(part.root, part.namespace)
    etree.indent(root, "  ")
    told = [f"Copied from {part.location}.", *(f"Repaired: {text}." for text in dict.fromkeys(part.repairs))]
    comment = "\n".join(line.replace("--", "- -") for line in told)
    body = etree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<!--\n{comment}\n-->\n{body}\n'.encode()


def with_prefixes(root: etree._Element, own: str | None) -> etree._Element:
    """The tree with names in attributes written by prefixes again, all of them declared at its root."""
    prefixes: dict[str, str] = {}
    for namespace in _namespaces(root):
        _give_prefix(prefixes, namespace, root, own)
    new = etree.Element(root.tag, root.attrib, nsmap={prefix: namespace for namespace, prefix in prefixes.items()})
    _copy_into(new, root)
    for element in new.iter("*"):
        for attribute in (*REFERENCES.get(element.tag, ()), WSDL_ARRAY):
            value = element.get(attribute)
            if value:
                element.set(attribute, " ".join(_short(name, prefixes) for name in value.split()))
    return new


def _copy_into(new: etree._Element, old: etree._Element) -> None:
    """Copy the contents; what is made anew below a root takes the root's prefixes."""
    new.text = old.text
    for child in old:
        if isinstance(child.tag, str):
            copied = etree.SubElement(new, child.tag, child.attrib)
            _copy_into(copied, child)
        else:
            copied = etree.Comment(child.text)
            new.append(copied)
        copied.tail = child.tail


def _namespaces(root: etree._Element) -> Iterator[str]:
    """Every namespace of an element, an attribute or a name in an attribute."""
    for element in root.iter("*"):
        names = [element.tag, *element.attrib]
        for attribute in (*REFERENCES.get(element.tag, ()), WSDL_ARRAY):
            names += element.get(attribute, "").split()
        for name in names:
            namespace = namespace_of(name)
            if namespace and namespace != XML:
                yield namespace


def _give_prefix(prefixes: dict[str, str], namespace: str, root: etree._Element, own: str | None) -> None:
    if namespace in prefixes:
        return
    theirs = next((prefix for prefix, known in root.nsmap.items() if prefix and known == namespace), None)
    wanted = USUAL.get(namespace) or ("tns" if namespace == own else theirs) or f"n{len(prefixes)}"
    if namespace.startswith(UNDECLARED):
        wanted = namespace.removeprefix(UNDECLARED)
    while wanted in prefixes.values():
        wanted += "_"
    prefixes[namespace] = wanted


def _short(name: str, prefixes: dict[str, str]) -> str:
    namespace = namespace_of(name)
    if namespace is None:
        return local(name)
    if namespace == XML:
        return f"xml:{local(name)}"
    return f"{prefixes[namespace]}:{local(name)}"
