"""The names WSDLs are made of: namespaces, and which attributes hold the name of something else."""

from __future__ import annotations

import re
from collections.abc import Mapping

from lxml import etree

XSD = "http://www.w3.org/2001/XMLSchema"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
XML = "http://www.w3.org/XML/1998/namespace"
WSDL_NAMESPACE = "http://schemas.xmlsoap.org/wsdl/"
SOAP11 = "http://schemas.xmlsoap.org/wsdl/soap/"
SOAP12 = "http://schemas.xmlsoap.org/wsdl/soap12/"
HTTP = "http://schemas.xmlsoap.org/wsdl/http/"
MIME = "http://schemas.xmlsoap.org/wsdl/mime/"
ENCODING = "http://schemas.xmlsoap.org/soap/encoding/"
XS = f"{{{XSD}}}"
WSDL = f"{{{WSDL_NAMESPACE}}}"
WSDL_ARRAY = f"{WSDL}arrayType"
UNDECLARED = "urn:undeclared:"
SENT_AS = "{urn:hospital-gateway:wsdl}sent-as"
"""On an operation of a binding that shares its name with another one: the name by which it is sent in rpc style."""

TAGS = {
    f"{space}{word}".casefold(): f"{space}{word}"
    for space, words in (
        (WSDL, "definitions import documentation types message part portType operation input output fault binding"),
        (WSDL, "service port"),
        (
            XS,
            "schema import include redefine annotation documentation appinfo element complexType simpleType group all",
        ),
        (XS, "sequence choice any attribute attributeGroup anyAttribute complexContent simpleContent"),
        (
            XS,
            "extension restriction list union enumeration pattern length minLength maxLength minInclusive maxInclusive",
        ),
        (XS, "minExclusive maxExclusive totalDigits fractionDigits whiteSpace key keyref unique selector field"),
    )
    for word in words.split()
}
"""The elements of a WSDL and a schema, by their names in small letters: some vendors write `ComplexType`."""

KNOWN_PREFIXES = {
    "wsdl": WSDL_NAMESPACE,
    "soap": SOAP11,
    "wsdlsoap": SOAP11,
    "soap12": SOAP12,
    "wsoap12": SOAP12,
    "http": HTTP,
    "mime": MIME,
    "xsd": XSD,
    "xs": XSD,
    "s": XSD,
    "xsi": XSI,
    "soapenc": ENCODING,
    "SOAP-ENC": ENCODING,
    "apachesoap": "http://xml.apache.org/xml-soap",
    "wsaw": "http://www.w3.org/2006/05/addressing/wsdl",
    "wsam": "http://www.w3.org/2007/05/addressing/metadata",
    "wsa": "http://www.w3.org/2005/08/addressing",
    "wsp": "http://schemas.xmlsoap.org/ws/2004/09/policy",
    "wsu": "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd",
    "msc": "http://schemas.microsoft.com/ws/2005/12/wsdl/contract",
    "tm": "http://microsoft.com/wsdl/mime/textMatching/",
    "msdata": "urn:schemas-microsoft-com:xml-msdata",
    "ser": "http://schemas.microsoft.com/2003/10/Serialization/",
    "xmime": "http://www.w3.org/2005/05/xmlmime",
    "jaxws": "http://java.sun.com/xml/ns/jaxws",
    "jaxb": "http://java.sun.com/xml/ns/jaxb",
}
"""What a prefix means that everybody uses and somebody forgot to declare."""

KINDS = {
    (XS + "element", "type"): "type",
    (XS + "element", "ref"): "element",
    (XS + "element", "substitutionGroup"): "element",
    (XS + "attribute", "type"): "type",
    (XS + "attribute", "ref"): "attribute",
    (XS + "restriction", "base"): "type",
    (XS + "extension", "base"): "type",
    (XS + "group", "ref"): "group",
    (XS + "attributeGroup", "ref"): "attributeGroup",
    (XS + "list", "itemType"): "type",
    (XS + "union", "memberTypes"): "type",
    (WSDL + "part", "element"): "element",
    (WSDL + "part", "type"): "type",
    (WSDL + "input", "message"): "message",
    (WSDL + "output", "message"): "message",
    (WSDL + "fault", "message"): "message",
    (WSDL + "binding", "type"): "portType",
    (WSDL + "port", "binding"): "binding",
    (f"{{{SOAP11}}}header", "message"): "message",
    (f"{{{SOAP12}}}header", "message"): "message",
    (f"{{{SOAP11}}}headerfault", "message"): "message",
    (f"{{{SOAP12}}}headerfault", "message"): "message",
}
"""(element, attribute) -> the kind of thing the attribute names."""

REFERENCES: dict[str, tuple[str, ...]] = {}
for _tag, _attribute in KINDS:
    REFERENCES[_tag] = (*REFERENCES.get(_tag, ()), _attribute)


def local(name: str) -> str:
    """The name without its namespace."""
    return name.rpartition("}")[2]


def namespace_of(name: str) -> str | None:
    """Its namespace; None if it has none."""
    return name[1:].partition("}")[0] or None if name.startswith("{") else None


def full(namespace: str | None, name: str) -> str:
    """A name written out with its namespace."""
    return f"{{{namespace}}}{name}" if namespace else name


def resolved(name: str, prefixes: Mapping[str | None, str]) -> str:
    """`tns:Visit` as `{http://tempuri.org/}Visit`, by the prefixes that hold where it stands."""
    prefix, colon, bare = name.rpartition(":")
    array = bare[bare.index("[") :] if "[" in bare else ""  # of wsdl:arrayType
    bare = (as_name(bare.removesuffix(array)) if bare.removesuffix(array) else "") + array
    if not colon:
        return full(prefixes.get(None), bare)
    if prefix == "xml":
        return full(XML, bare)
    namespace = prefixes.get(prefix) or KNOWN_PREFIXES.get(prefix) or f"{UNDECLARED}{prefix}"
    return full(namespace, bare or "anyType")


def as_name(text: str) -> str:
    """The text as a name of XML; what no name may hold becomes a low line."""
    plain = _NO_NAME.sub("_", text)
    return plain if plain[:1].isalpha() or plain[:1] == "_" else f"_{plain}"


_NO_NAME = re.compile(r"[^\w.-]")


def line_of(element: etree._Element) -> int:
    """The line where it stands in the partner's file; 1 for what we added."""
    return int(element.sourceline or 1)
