"""Schemas that WSDLs import without saying where they are; those of standards, as far as messages need them."""

from __future__ import annotations

from pathlib import Path

from gateway.partners.wsdl.fetching import Fetched

FOLDER = Path(__file__).parent
FILES = {
    "http://schemas.xmlsoap.org/soap/encoding/": "soap-encoding.xsd",
    "http://schemas.xmlsoap.org/soap/envelope/": "soap-envelope.xsd",
    "http://www.w3.org/2003/05/soap-encoding": "soap12-encoding.xsd",
    "http://www.w3.org/2003/05/soap-envelope": "soap12-envelope.xsd",
    "http://www.w3.org/XML/1998/namespace": "xml.xsd",
    "http://www.w3.org/2004/08/xop/include": "xop-include.xsd",
    "http://www.w3.org/2005/05/xmlmime": "xmlmime.xsd",
    "http://www.w3.org/2004/11/xmlmime": "xmlmime-2004.xsd",
    "http://www.w3.org/2005/08/addressing": "ws-addressing.xsd",
    "http://schemas.xmlsoap.org/ws/2004/08/addressing": "ws-addressing-2004.xsd",
    "http://schemas.xmlsoap.org/wsdl/": "wsdl.xsd",
    "http://schemas.xmlsoap.org/wsdl/soap/": "wsdl-soap.xsd",
    "http://schemas.microsoft.com/2003/10/Serialization/": "ms-serialization.xsd",
    "http://schemas.microsoft.com/2003/10/Serialization/Arrays": "ms-arrays.xsd",
    "http://schemas.datacontract.org/2004/07/System": "ms-system.xsd",
    "http://microsoft.com/wsdl/types/": "ms-types.xsd",
    "http://xml.apache.org/xml-soap": "apache-soap.xsd",
    "http://ws-i.org/profiles/basic/1.1/xsd": "swa-ref.xsd",
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd": "wss-utility.xsd",
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd": "wss-secext.xsd",
    "http://jaxb.dev.java.net/array": "jaxb-array.xsd",
    "urn:schemas-microsoft-com:xml-msdata": "msdata.xsd",
}
"""Namespace -> our file."""


def fetched(namespace: str) -> Fetched | None:
    """The file of a standard namespace, as if it had been fetched."""
    name = FILES.get(namespace)
    return Fetched(name, (FOLDER / name).read_bytes()) if name else None
