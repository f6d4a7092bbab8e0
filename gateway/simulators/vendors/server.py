"""The web server of a vendor's system: its own contract at its own address; looking and disturbing as everywhere.

GET <path>?wsdl is its WSDL. POST /control may also say {"act": "send", "operation": "ReportStatus", ...}: the system
then calls the gateway, and what it was answered is the answer to that.
"""

from __future__ import annotations

from functools import partial
from html import escape
from typing import Any

from lxml import etree

from gateway.errors import MessageFault
from gateway.mapping.errors import PayloadUnreadable
from gateway.simulators.request_log import RequestLog
from gateway.simulators.server import Environ, Reply, Simulator, Worked
from gateway.simulators.vendors.calling import SOAP11, SOAP12, Gateway
from gateway.simulators.vendors.vendor import NotAdmitted, Question, Refused, Vendor
from gateway.soap.envelope import Limits
from gateway.soap.front import read_body


class VendorSimulator(Simulator):
    """A vendor's system behind its address."""

    def __init__(self, vendor: Vendor, log: RequestLog, base: str, gateway: Gateway | None = None) -> None:
        super().__init__(vendor, log)
        self.path = vendor.path
        self._vendor = vendor
        self._base = base
        self._gateway = gateway
        if gateway is not None:
            vendor.login = gateway.login

    def _description(self, environ: Environ) -> Reply:
        if "wsdl" not in environ.get("QUERY_STRING", "").casefold():
            return super()._description(environ)
        return Reply(200, "text/xml; charset=utf-8", self._vendor.contract.wsdl(self._base + self.path))

    def _message(self, environ: Environ) -> Reply:
        soap = SOAP11
        try:
            envelope = self._read(read_body(environ, lambda _: True, Limits()))
            soap = str(etree.QName(envelope).namespace)
            self._vendor.admit(envelope.find(f"{{{soap}}}Header"), environ)
            wrapper = envelope.find(f"{{{soap}}}Body/*")
            if wrapper is None:
                raise PayloadUnreadable("The SOAP body is empty.")
            asked = self._vendor.contract.read(wrapper)
        except (MessageFault, PayloadUnreadable, NotAdmitted) as problem:
            self._log.write("", "FAULT")
            return self._fault(str(problem), soap)
        question = Question(asked.function, asked)
        noted = {name: value for name, value in self._noted(question).items() if value}
        return self._disturbed(asked.function, None, partial(self._worked, wrapper, question, soap), **noted)

    def _read(self, body: bytes) -> etree._Element:
        """The envelope, in the one charset the vendor knows. Raises PayloadUnreadable."""
        try:
            text = body.decode(self._vendor.charset).removeprefix("\ufeff").lstrip()
            if text.startswith("<?xml"):
                text = text.partition("?>")[2]
            return etree.fromstring(text, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True))
        except (UnicodeDecodeError, etree.XMLSyntaxError, ValueError):
            raise PayloadUnreadable("The request is no XML in the charset of this system.") from None

    def _noted(self, question: Question) -> dict[str, str]:
        told = {"message_id": question.asked.message_id, "sender": question.asked.sender}
        try:
            return told | self._vendor.numbers(question)
        except Refused:
            return told

    def _worked(self, wrapper: etree._Element, question: Question, soap: str, refusal: str | None) -> Worked:
        """One message at a time, so that nothing is done twice."""
        if refusal is None:
            with self._one_at_a_time:
                said = self._vendor.carry_out(question)
        else:
            said = self._vendor.refusal(question, refusal, "模拟的拒绝")
        inner = self._vendor.contract.answer(wrapper, question.asked, said)
        return Worked(said.code, self._reply_with(200, inner, soap), {})

    def _reply_with(self, status: int, inner: str, soap: str) -> Reply:
        charset = self._vendor.charset
        kind = "text/xml" if soap == SOAP11 else "application/soap+xml"
        envelope = f'<s:Envelope xmlns:s="{soap}"><s:Body>{inner}</s:Body></s:Envelope>'
        text = f'<?xml version="1.0" encoding="{charset}"?>{envelope}'
        return Reply(status, f"{kind}; charset={charset}", text.encode(charset, "xmlcharrefreplace"))

    def _fault(self, text: str, soap: str) -> Reply:
        if soap == SOAP12:
            inner = (
                "<s:Fault><s:Code><s:Value>s:Sender</s:Value></s:Code>"
                f'<s:Reason><s:Text xml:lang="en">{escape(text)}</s:Text></s:Reason></s:Fault>'
            )
            return self._reply_with(400, inner, soap)
        inner = f"<s:Fault><faultcode>s:Client</faultcode><faultstring>{escape(text)}</faultstring></s:Fault>"
        return self._reply_with(500, inner, soap)

    def _act(self, action: str, wanted: dict[str, Any]) -> Any:
        """`send` tells the gateway something; while that lasts, the system answers others."""
        if action != "send":
            return super()._act(action, wanted)
        values, sends = dict(wanted), self._vendor.sends()
        wanted.clear()
        make = sends.get(str(values.pop("operation", "")))
        if make is None or self._gateway is None:
            known = ", ".join(sends) or "nothing"
            raise LookupError(f"{self._vendor.name} can send {known}, when it was started with the gateway's address.")
        with self._one_at_a_time:
            sent = make(values)
        status, text = sent.deliver(self._gateway)
        return {"status": status, "answer": text}
