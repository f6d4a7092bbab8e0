"""CallInterface(msgHeader, msgBody): a header in XML that names the function and the format, and the message."""

from __future__ import annotations

from collections.abc import Mapping

from lxml import etree

from gateway.mapping.payload import read_xml
from gateway.styles.style import HEADER, PAYLOAD, Asked, Place, Style

FORMATS = {"xml": "XML", "hl7": "HL7v2", "json": "JSON", "text": "TEXT"}


class CallInterface(Style):
    """serverName is the function; certificate is what both sides have agreed on, here the password."""

    word = "call-interface"
    operation = "CallInterface"
    takes = (Place(HEADER, "msgHeader"), Place(PAYLOAD, "msgBody"))
    gives = (Place(PAYLOAD, "CallInterfaceResult"),)

    def wrap(self, asked: Asked) -> dict[str, str]:
        root = etree.Element("root")
        for name, value in (
            ("serverName", asked.function),
            ("format", FORMATS[asked.format]),
            ("callOperator", asked.username or asked.sender),
            ("certificate", asked.password),
            ("msgNo", asked.message_id),
        ):
            etree.SubElement(root, name).text = value
        return {HEADER: etree.tostring(root, encoding="unicode"), PAYLOAD: asked.payload}

    def unwrap(self, parameters: Mapping[str, str]) -> Asked:
        header = read_xml(parameters.get(HEADER, ""))
        said = {
            etree.QName(child).localname.casefold(): (child.text or "").strip() for child in header.iter(etree.Element)
        }
        formats = {word.casefold(): name for name, word in FORMATS.items()}
        return Asked(
            function=said.get("servername", ""),
            payload=parameters.get(PAYLOAD, ""),
            format=formats.get(said.get("format", "xml").casefold(), "xml"),
            message_id=said.get("msgno", ""),
            username=said.get("calloperator", ""),
            password=said.get("certificate", ""),
        )
