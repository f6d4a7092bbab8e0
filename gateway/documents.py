"""What the gateway publishes about its interface: each WSDL in one piece, the files of wsdl/ and xsd/, the samples.

Everything is made once, when the process starts, from the files and the configured public address alone: never from
the Host header of a request, so that nobody can make partners call another machine. The bytes are the same in every
process. What is left out and why is docs/specification/contract.md, "What is published".
"""

from __future__ import annotations

import copy
import html
import re
from pathlib import Path
from urllib.parse import parse_qsl

from lxml import etree

from gateway.contract import WSDL, XS, Contract

CONTENT_TYPE = "text/xml; charset=utf-8"
QUERIES = frozenset({"wsdl", "singlewsdl"})
"""What clients write behind the question mark, in any case."""
DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'

_ADDRESS = re.compile(r'(<soap(?:12)?:address location=")[^"]*(")')


class Documents:
    """The published files. `public_url` is the address partners call, for example http://gateway.example.org:8080/soap."""

    def __init__(self, contract: Contract, public_url: str) -> None:
        folder = contract.folder
        address = html.escape(public_url)
        raw = {path.name: _with_address(path, address) for path in sorted((folder / "wsdl").glob("*.wsdl"))}
        soap11 = _flat(contract, raw["gateway.wsdl"])
        self._wsdls = {"": soap11, "soap11": soap11, "soap12": _flat(contract, raw["gateway-soap12.wsdl"])}
        self._files = {f"/wsdl/{name}": text.encode() for name, text in raw.items()}
        self._files |= {f"/xsd/{path.name}": path.read_bytes() for path in sorted((folder / "xsd").glob("*.xsd"))}
        samples = [contract.sample(operation.name) for operation in contract.operations]
        self._files |= {f"/samples/{path.name}": path.read_bytes() for path in samples if path.is_file()}

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path `file` answers, for example /xsd/common.xsd."""
        return tuple(self._files)

    def wsdl(self, query: str) -> bytes | None:
        """The WSDL a query string asks for: ?wsdl and ?singleWsdl in any case, ?wsdl=soap12 for SOAP 1.2; else None."""
        for name, value in parse_qsl(query, keep_blank_values=True):
            if name.lower() in QUERIES:
                return self._wsdls.get(value.lower())
        return None

    def file(self, path: str) -> tuple[bytes, str] | None:
        """The bytes and content type of /wsdl/NAME, /xsd/NAME or /samples/NAME; None if there is no such file."""
        content = self._files.get(path)
        return None if content is None else (content, CONTENT_TYPE)


def _with_address(path: Path, address: str) -> str:
    """The text of a WSDL file with the address partners call."""
    return _ADDRESS.sub(lambda found: found[1] + address + found[2], path.read_text(encoding="utf-8"))


def _flat(contract: Contract, text: str) -> bytes:
    """One WSDL that needs no other file: clients of 2005 resolve relative includes wrongly or not at all."""
    parser = etree.XMLParser(remove_blank_text=True, remove_comments=True, no_network=True, resolve_entities=False)
    root = etree.fromstring(text.encode(), parser)
    schema = root.find(f"{WSDL}types/{XS}schema")
    for child in list(schema):
        schema.remove(child)
    for module in contract.modules.values():
        schema.extend(copy.deepcopy(child) for child in module if child.tag != f"{XS}include")
    for information in list(schema.iter(f"{XS}appinfo")):
        information.getparent().remove(information)
    for element in schema.iter():
        _prefix_type(element)
    etree.cleanup_namespaces(root, keep_ns_prefixes=["tns"])
    etree.indent(root)
    return f"{DECLARATION}{etree.tostring(root, encoding='unicode')}\n".encode()


def _prefix_type(element: etree._Element) -> None:
    """Write a type of ours as tns:Name, as every toolkit does; the files of xsd/ use a default namespace instead."""
    for attribute in ("type", "base"):
        name = element.get(attribute)
        if name is not None and ":" not in name:
            element.set(attribute, f"tns:{name}")
