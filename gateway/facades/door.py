"""One facade, ready to be called: its style, its stylesheets, and who calls it."""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from xml.sax.saxutils import escape

from lxml import etree

from gateway.errors import NotAuthenticated
from gateway.facade_config import Facade, FacadeFunction
from gateway.facades.intake import Arrival, Intake
from gateway.facades.translation import Translation, lenient, read_payload
from gateway.mapping import payload as payloads
from gateway.mapping.codes import CodeTables
from gateway.mapping.functions import Circumstances, text_of
from gateway.security.credentials import Credentials, credentials_of, read_credentials
from gateway.soap.control_characters import MARK
from gateway.soap.envelope import Envelope, SoapVersion
from gateway.soap.front import Environ
from gateway.soap.journal_copy import BLOTTED_OUT, without_passwords
from gateway.styles.served import Served
from gateway.styles.style import Asked, Said
from gateway.styles.table import STYLES

PLAIN_FROM = 8
"""A password of so many characters is blotted out wherever it stands; a shorter one only as a whole value."""
YES = "0"


@dataclass(slots=True)
class Letter:
    """One message of a vendor, as far as it was opened."""

    arrival: Arrival
    version: SoapVersion | None = None
    wrapper: etree._Element | None = None
    asked: Asked = field(default_factory=lambda: Asked("", ""))
    function: str = ""
    settings: FacadeFunction | None = None
    payload: etree._Element | None = None
    noted: set[str] = field(default_factory=set)
    """What had to be mended in the string."""


class Door:
    """Any number of threads may use it."""

    def __init__(self, facade: Facade) -> None:
        self.facade = facade
        self.served = Served(
            STYLES[facade.style],
            namespace=facade.namespace,
            binding=facade.binding,
            operations=facade.called,
            names=facade.parameters,
            service=facade.service,
        )
        self.translation = Translation(f"Facade {facade.name}", facade.functions, facade.response, facade.folder)
        self._xpaths = {
            name: None if text is None else etree.XPath(text)
            for name, text in (
                ("function", facade.function),
                ("username", facade.username),
                ("password", facade.password),
            )
        }

    # --- the message --------------------------------------------------------------------------------------------------

    def open(self, letter: Letter, envelope: Envelope) -> None:
        """Find the string in the envelope. Raises InvalidMessage."""
        letter.version, letter.wrapper = envelope.version, envelope.wrapper
        for element in envelope.wrapper.iter(etree.Element):
            if element.text and MARK in element.text:
                element.text = element.text.replace(MARK, " ")
        with self.translation.told_as_fault():
            letter.asked = self.served.read(envelope.wrapper)

    def read(self, letter: Letter) -> None:
        """Read the message in the string, and find out which function it is. Raises MessageFault."""
        letter.function = letter.asked.function
        if self.facade.function is None:
            letter.settings = self.translation.function(letter.function)
        with self.translation.told_as_fault():
            letter.payload = read_payload(letter.asked.payload, self.facade.payload, letter.noted)
        if self.facade.function is not None:
            letter.function = self._found("function", letter) or letter.function
            letter.settings = self.translation.function(letter.function)

    def _found(self, name: str, letter: Letter) -> str:
        xpath = self._xpaths[name]
        if xpath is None or letter.payload is None:
            return ""
        return text_of(xpath(etree.ElementTree(letter.payload))).strip()

    def known(self, letter: Letter, client: str, codes: CodeTables) -> Circumstances:
        """What stylesheets are told beside the message."""
        arrival, facade = letter.arrival, self.facade
        return Circumstances(
            partner=facade.partner or client,
            hospital_code=arrival.hospital_code,
            outbound=False,
            now=arrival.received_at,
            codes=codes,
            values={
                "function": letter.function,
                "operation": (letter.settings.operation or "") if letter.settings is not None else "",
                "facade": facade.name,
                "client": client,
                "message_id": letter.asked.message_id,
                "txn_no": arrival.txn_no,
            },
        )

    # --- who calls ----------------------------------------------------------------------------------------------------

    def outside(self, letter: Letter, envelope: Envelope, environ: Environ, intake: Intake) -> bool:
        """Let in who is known by what stands around the string; False when nothing there says who calls."""
        credentials = read_credentials(envelope.headers, environ.get("HTTP_AUTHORIZATION"))
        if credentials is None and self._is_known_address(environ):
            intake.admit_known(letter.arrival, self.facade.client or "")
            return True
        if credentials is None and letter.asked.password:
            credentials = self._credentials(letter.asked.username, letter.asked.password)
        if credentials is None and self.facade.password is not None:
            return False
        intake.admit(letter.arrival, credentials)
        return True

    def inside(self, letter: Letter, intake: Intake) -> None:
        """Let in who is known by what stands in the string. Raises NotAuthenticated."""
        password = self._found("password", letter)
        if not password:
            raise NotAuthenticated(credentials_came=False)
        intake.admit(letter.arrival, self._credentials(self._found("username", letter), password))

    def _credentials(self, name: str, password: str) -> Credentials:
        """In a facade of one client its name need not be said; vendors write the name of a person there."""
        return credentials_of(self.facade.client or name, password)

    def _is_known_address(self, environ: Environ) -> bool:
        if not self.facade.addresses:
            return False
        try:
            address = ip_address(str(environ.get("REMOTE_ADDR", "")))
        except ValueError:
            return False
        return any(address in network for network in self.facade.addresses)

    def kept(self, letter: Letter, envelope: Envelope) -> bytes:
        """What the journal keeps: the body as it came, if no password stands in it; else written anew without it.

        To be called when everything was read: it changes the envelope.
        """
        secrets = {secret for secret in (letter.asked.password, self._found("password", letter)) if secret}
        changed = [_blot(element, secret) for element in envelope.wrapper.iter(etree.Element) for secret in secrets]
        xml = without_passwords(envelope)
        if not any(changed):
            return xml
        return bytes(etree.tostring(envelope.wrapper.getroottree(), encoding="UTF-8", xml_declaration=True))

    # --- the answer ---------------------------------------------------------------------------------------------------

    def answer(self, letter: Letter, answer: etree._Element, known: Circumstances) -> etree._Element | str:
        """The vendor's message for our <Response> or <Fault>. Raises MessageFault."""
        asked = etree.SubElement(answer, "Asked")
        etree.SubElement(asked, "Function").text = letter.function or letter.asked.function
        if letter.payload is not None:
            etree.SubElement(asked, "Payload").append(deepcopy(letter.payload))
        return self.translation.response(letter.settings, answer, lenient(replace(known, outbound=True)))

    def write(self, letter: Letter, code: str, text: str, made: etree._Element | str) -> str:
        """The element of the answer's SOAP body."""
        facade = self.facade
        is_esb = facade.style == "esb-entry"
        said = Said(
            payload=payloads.write(made, facade.payload, facade.charset, declaration=facade.declaration),
            code=(facade.accepted_code or ("true" if is_esb else "0"))
            if code == YES
            else (facade.refused_code or ("false" if is_esb else "-1")),
            text=text,
        )
        wrapper = letter.wrapper if letter.wrapper is not None else etree.Element(self.served.called()[0])
        return self.served.answer(wrapper, letter.asked, said)

    def envelope(self, version: SoapVersion, content: str) -> bytes:
        """The answer in the vendor's charset; what that cannot write stands there by its number, as XML allows."""
        charset = self.facade.charset
        text = (
            f'<?xml version="1.0" encoding="{charset.upper()}"?>\n'
            f'<soap:Envelope xmlns:soap="{version.namespace}"><soap:Body>{content}</soap:Body></soap:Envelope>'
        )
        return text.encode(charset, "xmlcharrefreplace")

    def content_type(self, version: SoapVersion) -> str:
        """Of its answers."""
        return version.content_type.replace("utf-8", self.facade.charset)


def _blot(element: etree._Element, secret: str) -> bool:
    """Take a password out of the text of an element, which may itself be XML."""
    text = element.text or ""
    if text.strip() == secret:
        element.text = BLOTTED_OUT
        return True
    written = escape(secret)
    blotted = re.sub(rf"(?<=[>\"'])\s*{re.escape(written)}\s*(?=[<\"'])", BLOTTED_OUT, text)
    if len(secret) >= PLAIN_FROM:
        for form in (written, secret, escape(written)):
            blotted = blotted.replace(form, BLOTTED_OUT)
    element.text = blotted if blotted != text else element.text
    return blotted != text
