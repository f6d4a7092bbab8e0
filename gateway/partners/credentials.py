"""How the gateway says to one partner who it is: HTTP Basic, WS-Security, headers of the partner's own, a login.

zeep hands every envelope to `Credentials.apply` just before it leaves (its mechanism for WS-Security); a dialect that
writes its own requests takes `http_headers`. Passwords and tokens appear in no log, error or representation of these.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Protocol

from cryptography import x509
from lxml import etree

from gateway.file_secret import FileSecret
from gateway.mapping.errors import PayloadUnreadable
from gateway.mapping.xml_text import read_xml
from gateway.operations.dispatch import Outcome
from gateway.partner_config import Partner
from gateway.partner_security import WORD, Login, xml_template
from gateway.partners.connection import errand, seconds_left
from gateway.partners.failures import UnusableReply
from gateway.partners.files import FromFiles, PrivateKey, Term, certificate_with_key, terms_of
from gateway.partners.signature import BASE64, WSSE, WSU, add_timestamp, security_header, sign, written
from gateway.partners.unwrapping import NoXml, parsed

_PROFILE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#"
_SOAP = {"1.1": "http://schemas.xmlsoap.org/soap/envelope/", "1.2": "http://www.w3.org/2003/05/soap-envelope"}
_UNPRINTABLE = re.compile(r"[^ -~]")


class Answered(Protocol):
    """A partner's reply, as far as credentials look at it."""

    @property
    def status(self) -> int: ...
    @property
    def content_type(self) -> str: ...
    @property
    def body(self) -> bytes: ...


Post = Callable[[str, bytes, dict[str, str]], Answered]
"""Sends a body to an address within the current exchange."""


class Credentials:
    """How the gateway proves itself to one partner; any number of threads may use it."""

    def __init__(self, partner: Partner, post: Post, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._partner = partner
        self._auth = partner.auth
        self._now = now
        login = partner.auth.login
        self._token = _Token(partner, login, self._words, post) if login is not None else None
        self._key = FromFiles(partner.name, _watched(partner), lambda: _certificate_with_key(partner))

    def http_headers(self) -> dict[str, str]:
        """What goes into the HTTP head. Raises UnusableReply when a login is needed first and fails."""
        auth, words = self._auth, self._words_with_token()
        basic = auth.kind == "basic" and words["username"] != ""
        login = b64encode(f"{words['username']}:{words['password']}".encode()).decode()
        own = {name: _filled(value, words) for name, value in auth.http_headers.items()}
        return ({"Authorization": f"Basic {login}"} if basic else {}) | own

    def apply(self, envelope: etree._Element, headers: Mapping[str, str]) -> tuple[etree._Element, dict[str, str]]:
        """The envelope and the HTTP headers as they leave. Raises UnusableFile, or what `http_headers` raises."""
        auth, words = self._auth, self._words_with_token()
        if auth.soap_header is not None:
            _add_blocks(envelope, auth.soap_header, words)
        if auth.kind.startswith("username-token"):
            self._add_username_token(envelope, words)
        timestamp = add_timestamp(envelope, self._now().astimezone(UTC)) if self._wants_timestamp() else None
        if auth.kind == "x509":
            certificate, key = self._key()
            sign(envelope, certificate, key, timestamp=timestamp, algorithm=auth.algorithm)
        return envelope, {**headers, **self.http_headers()}

    def verify(self, envelope: etree._Element) -> etree._Element:
        """Of zeep's mechanism. Replies are read by the gateway itself, and are believed because of TLS."""
        return envelope

    def look_at(self, reply: Answered) -> None:
        """Learn from a reply that the token is no longer good: the next message logs in again."""
        if self._token is not None and self._token.is_refused_by(reply):
            self._token.forget()

    def _wants_timestamp(self) -> bool:
        return self._auth.timestamp and self._auth.kind in ("username-token", "username-token-digest", "x509")

    def _add_username_token(self, envelope: etree._Element, words: Mapping[str, str]) -> None:
        token = etree.SubElement(security_header(envelope), f"{{{WSSE}}}UsernameToken")
        etree.SubElement(token, f"{{{WSSE}}}Username").text = words["username"]
        password = etree.SubElement(token, f"{{{WSSE}}}Password")
        digested = self._auth.kind == "username-token-digest"
        nonce, created = secrets.token_bytes(16), written(self._now().astimezone(UTC))
        password.set("Type", f"{_PROFILE}{'PasswordDigest' if digested else 'PasswordText'}")
        password.text = _digest(nonce, created, words["password"]) if digested else words["password"]
        if digested or self._auth.nonce:
            shown = etree.SubElement(token, f"{{{WSSE}}}Nonce", EncodingType=BASE64)
            shown.text = b64encode(nonce).decode()
            etree.SubElement(token, f"{{{WSU}}}Created").text = created

    def _words_with_token(self) -> dict[str, str]:
        words = self._words()
        return words if self._token is None else words | {"token": self._token()}

    def _words(self) -> dict[str, str]:
        password = self._partner.password
        kept = {name: secret.get_secret_value() for name, secret in self._auth.secrets.items()}
        own = {
            "username": self._partner.username or "",
            "password": password.get_secret_value() if password else "",
        }
        return kept | own


class _Token:
    """What a login gave, for as long as it is good."""

    def __init__(self, partner: Partner, login: Login, words: Callable[[], dict[str, str]], post: Post) -> None:
        self._partner = partner
        self._login = login
        self._words = words
        self._post = post
        self._lock = Lock()
        self._token = ""
        self._good_until = 0.0

    def __call__(self) -> str:
        """The token; one thread logs in for all. Raises UnusableReply, for nothing of the message was sent."""
        if not self._lock.acquire(timeout=seconds_left()):
            raise UnusableReply("LOGIN", Outcome.NOT_SENT)
        try:
            if time.monotonic() >= self._good_until:
                with errand():
                    self._token = self._asked_for()
                self._good_until = time.monotonic() + self._login.seconds
            return self._token
        finally:
            self._lock.release()

    def forget(self) -> None:
        with self._lock:
            self._good_until = 0.0

    def is_refused_by(self, reply: Answered) -> bool:
        if reply.status == 401 or self._login.expired is None:
            return reply.status == 401
        try:
            return bool(_found(reply, self._login.expired))
        except (NoXml, etree.XPathError):
            return False

    def _asked_for(self) -> str:
        try:
            reply = self._post(str(self._login.url or self._partner.url), self._envelope(), self._headers())
            token = str(_found(reply, f"string({self._login.token})") or "").strip() if reply.status == 200 else ""
        except Exception:  # its text may hold what was sent
            token = ""
        if not token or _UNPRINTABLE.search(token):
            raise UnusableReply("LOGIN", Outcome.NOT_SENT)
        return token

    def _envelope(self) -> bytes:
        soap = _SOAP[self._partner.soap_version]
        envelope = etree.Element(f"{{{soap}}}Envelope", nsmap={"soap": soap})
        body = etree.SubElement(envelope, f"{{{soap}}}Body")
        body.extend(_blocks(self._login.body, self._words()))
        return bytes(etree.tostring(envelope, xml_declaration=True, encoding="utf-8"))

    def _headers(self) -> dict[str, str]:
        if self._partner.soap_version == "1.1":
            return {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{self._login.action}"'}
        action = f'; action="{self._login.action}"' if self._login.action else ""
        return {"Content-Type": f"application/soap+xml; charset=utf-8{action}"}


def signature_terms(partner: Partner) -> Iterator[Term]:
    """Until when the certificate for signing holds, where it is not that of TLS. Raises UnusableFile."""
    if partner.auth.kind == "x509" and partner.auth.certificate_file is not None:
        path, *_ = _paths(partner)
        yield from terms_of(path, "our certificate for signing", (_certificate_with_key(partner)[0],))


# --- templates --------------------------------------------------------------------------------------------------------


def _add_blocks(envelope: etree._Element, template: str, words: Mapping[str, str]) -> None:
    soap = etree.QName(envelope).namespace
    header = envelope.find(f"{{{soap}}}Header")
    if header is None:
        header = etree.Element(f"{{{soap}}}Header")
        envelope.insert(0, header)
    header.extend(_blocks(template, words))


def _blocks(template: str, words: Mapping[str, str]) -> list[etree._Element]:
    """The elements of a template with their values, which cannot become markup: they are put in after it is read."""
    root = xml_template(template)
    for element in root.iter(etree.Element):
        element.text = _filled(element.text, words) if element.text else element.text
        for name, value in element.attrib.items():
            element.set(name, _filled(str(value), words))
    return list(root)


def _filled(text: str, words: Mapping[str, str]) -> str:
    return WORD.sub(lambda found: words[found[1]], text)


def _found(reply: Answered, xpath: str) -> object:
    """What an XPath finds in a reply; a string that holds XML is looked into. Raises NoXml."""
    root = parsed(reply.body, reply.content_type)
    for element in [one for one in root.iter(etree.Element) if len(one) == 0 and (one.text or "").lstrip()[:1] == "<"]:
        with suppress(PayloadUnreadable):
            element.append(read_xml(element.text or ""))
            element.text = None
    return root.xpath(xpath)


def _digest(nonce: bytes, created: str, password: str) -> str:
    """As the UsernameToken profile has it."""
    return b64encode(hashlib.sha1(nonce + created.encode() + password.encode()).digest()).decode()  # noqa: S324


# --- our certificate for signing --------------------------------------------------------------------------------------


def _certificate_with_key(partner: Partner) -> tuple[x509.Certificate, PrivateKey]:
    own = partner.auth if partner.auth.certificate_file is not None else partner.tls
    password = own.key_password.get_secret_value().encode() if own.key_password else None
    certificate, *key = _paths(partner)
    return certificate_with_key(certificate, key[0] if key else None, password)


def _watched(partner: Partner) -> list[Path]:
    own = partner.auth if partner.auth.certificate_file is not None else partner.tls
    password = [own.key_password.path] if isinstance(own.key_password, FileSecret) else []
    return _paths(partner) + password


def _paths(partner: Partner) -> list[Path]:
    """The certificate by which envelopes are signed, and its key where that has a file of its own."""
    own = partner.auth if partner.auth.certificate_file is not None else partner.tls
    return [partner.path(name) for name in (own.certificate_file, own.key_file) if name is not None]
