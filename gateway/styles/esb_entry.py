"""GETMQ(fid, putcmsg, getcmsg, errMsg) -> boolean: a queue of a bus, with the message inside an ESBEntry."""

from __future__ import annotations

from collections.abc import Mapping

from lxml import etree

from gateway.mapping.errors import PayloadUnreadable
from gateway.mapping.payload import read_xml
from gateway.styles.style import CODE, FUNCTION, PAYLOAD, TEXT, Asked, Place, Said, Style

_outermost = etree.XPath("//*[local-name() = 'Msg'][not(ancestor::*[local-name() = 'Msg'])]")


class EsbEntry(Style):
    """Fid is the function; the message stands as text in Msg, in both directions."""

    word = "esb-entry"
    operation = "GETMQ"
    takes = (Place(FUNCTION, "fid"), Place(PAYLOAD, "putcmsg"), Place("", "getcmsg"), Place("", "errMsg"))
    gives = (Place(CODE, "GETMQResult", "boolean"), Place(PAYLOAD, "getcmsg"), Place(TEXT, "errMsg"))

    def wrap(self, asked: Asked) -> dict[str, str]:
        entry = etree.Element("ESBEntry")
        access = etree.SubElement(entry, "AccessControl")
        etree.SubElement(access, "UserName").text = asked.username
        etree.SubElement(access, "Password").text = asked.password
        etree.SubElement(access, "Fid").text = asked.function
        header = etree.SubElement(entry, "MessageHeader")
        etree.SubElement(header, "Fid").text = asked.function
        etree.SubElement(header, "SourceSysCode").text = asked.sender
        etree.SubElement(header, "MsgID").text = asked.message_id
        etree.SubElement(header, "MsgDate").text = f"{asked.sent_at:%Y-%m-%d %H:%M:%S}" if asked.sent_at else ""
        etree.SubElement(etree.SubElement(entry, "MsgInfo"), "Msg").text = asked.payload
        return {FUNCTION: asked.function, PAYLOAD: etree.tostring(entry, encoding="unicode"), "": ""}

    def unwrap(self, parameters: Mapping[str, str]) -> Asked:
        entry = read_xml(parameters.get(PAYLOAD, ""))
        return Asked(
            function=(parameters.get(FUNCTION, "").strip() or _text(entry, "MessageHeader", "Fid")),
            payload=_message(entry),
            message_id=_text(entry, "MessageHeader", "MsgID"),
            sender=_text(entry, "MessageHeader", "SourceSysCode"),
            username=_text(entry, "AccessControl", "UserName"),
            password=_text(entry, "AccessControl", "Password"),
        )

    def enclose(self, asked: Asked, said: Said) -> dict[str, str]:
        entry = etree.Element("ESBEntry")
        header = etree.SubElement(entry, "MessageHeader")
        etree.SubElement(header, "Fid").text = asked.function
        etree.SubElement(header, "MsgID").text = asked.message_id
        etree.SubElement(etree.SubElement(entry, "MsgInfo"), "Msg").text = said.payload
        return {CODE: said.code, PAYLOAD: etree.tostring(entry, encoding="unicode"), TEXT: said.text}

    def disclose(self, results: Mapping[str, str]) -> Said:
        answer, code = results.get(PAYLOAD, ""), results.get(CODE, "").strip()
        payload = _message(read_xml(answer)) if answer.strip() else ""
        return Said(payload, code, results.get(TEXT, ""))


def _text(entry: etree._Element, block: str, name: str) -> str:
    return (entry.findtext(f"{{*}}{block}/{{*}}{name}") or "").strip()


def _message(entry: etree._Element) -> str:
    """What stands in Msg, as text or as elements; an answer that is no ESBEntry is the message itself."""
    if etree.QName(entry).localname != "ESBEntry":
        return str(etree.tostring(entry, encoding="unicode", with_tail=False))
    messages = _outermost(entry)
    if len(messages) > 1:
        raise PayloadUnreadable("The ESBEntry holds several Msg, and nobody knows which counts.")
    if not messages:
        return ""
    message = messages[0]
    if len(message):
        return "".join(etree.tostring(child, encoding="unicode", with_tail=False) for child in message)
    return str(message.text or "")
