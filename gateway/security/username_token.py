"""The WS-Security UsernameToken: a user name with a password, or with a digest that proves it without showing it.

Follows the OASIS UsernameToken Profile 1.0. What is not a token as that profile describes it is refused, with a text
that says which part is wrong and never what it holds.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from lxml import etree

from gateway.errors import NotAuthenticated

_OASIS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
WSSE = f"{_OASIS}wssecurity-secext-1.0.xsd"
WSU = f"{_OASIS}wssecurity-utility-1.0.xsd"

XML_WHITE_SPACE = " \t\r\n"
_LONGEST_NONCE = 128
_LONGEST_DATE_TIME = 40


@dataclass(frozen=True, slots=True, repr=False)
class UsernameToken:
    """One token as it came; it has a password or a digest, and a digest has nonce and created."""

    name: str
    password: str | None
    digest: bytes | None
    nonce: bytes
    created: datetime | None
    created_text: str

    def proves(self, password: str) -> bool:
        """Whether the digest was made with this password; the clock and the nonce are not looked at."""
        # SHA-1 is what the profile prescribes; what protects here is the length of the password.
        made = hashlib.sha1(self.nonce + self.created_text.encode() + password.encode(), usedforsecurity=False).digest()
        return self.digest is not None and hmac.compare_digest(made, self.digest)

    def __repr__(self) -> str:
        return "<UsernameToken>"


def read_username_token(headers: Sequence[etree._Element]) -> UsernameToken | None:
    """The one token in the wsse:Security header blocks, None if there is none."""
    security = [header for header in headers if header.tag == f"{{{WSSE}}}Security"]
    tokens = [child for header in security for child in header if child.tag == f"{{{WSSE}}}UsernameToken"]
    if not tokens:
        return None
    if len(tokens) > 1:
        raise malformed("UsernameToken", "只能出现一次", "may come only once")
    return _read(tokens[0])


def only_text(parent: etree._Element, *tags: str) -> etree._Element | None:
    """The one child of that name, None if there is none; it holds text and nothing else.

    A comment inside would hide the rest of the text from us and show it to others.
    """
    found = [child for child in parent if child.tag in tags]
    if not found:
        return None
    if len(found) > 1 or len(found[0]):
        name = etree.QName(tags[0]).localname
        raise malformed(name, "只能出现一次且只含文本", "may come only once and holds only text")
    return found[0]


def text_of(element: etree._Element | None) -> str:
    return "" if element is None else (element.text or "").strip(XML_WHITE_SPACE)


def malformed(what: str, chinese: str, english: str) -> NotAuthenticated:
    """The refusal of credentials that are not built as they must be."""
    return NotAuthenticated(f"{what} {chinese}。", f"{what} {english}.")


def _read(token: etree._Element) -> UsernameToken:
    password = only_text(token, f"{{{WSSE}}}Password")
    if password is None:
        raise malformed("UsernameToken", "缺少 Password", "has no Password")
    nonce = _nonce(text_of(only_text(token, f"{{{WSSE}}}Nonce")))
    created_text = text_of(only_text(token, f"{{{WSU}}}Created"))
    digest = _digest(text_of(password)) if _is_digest(password) else None
    if digest is not None and not (nonce and created_text):
        raise malformed("PasswordDigest", "必须有 Nonce 和 Created", "needs Nonce and Created")
    return UsernameToken(
        name=text_of(only_text(token, f"{{{WSSE}}}Username")),
        password=text_of(password) if digest is None else None,
        digest=digest,
        nonce=nonce,
        created=_created(created_text),
        created_text=created_text,
    )


def _is_digest(password: etree._Element) -> bool:
    """By the last word of its Type: clients send the profile's URI, wsse:PasswordDigest, or the bare word."""
    kind = re.split("[#:]", password.get("Type", "PasswordText").strip())[-1]
    if kind not in ("PasswordText", "PasswordDigest"):
        raise malformed("Password", "的 Type 未知", "has an unknown Type")
    return kind == "PasswordDigest"


def _digest(text: str) -> bytes:
    digest = _base64("Password", text)
    if len(digest) != hashlib.sha1(usedforsecurity=False).digest_size:
        raise malformed("Password", "不是 PasswordDigest", "is not a PasswordDigest")
    return digest


def _nonce(text: str) -> bytes:
    """Its bytes, because the same bytes can be written in more than one way."""
    nonce = _base64("Nonce", text)
    if len(nonce) > _LONGEST_NONCE:
        raise malformed("Nonce", "过长", "is too long")
    return nonce


def _base64(what: str, text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise malformed(what, "不是 base64", "is not base64") from None


def _created(text: str) -> datetime | None:
    """Without a zone it is UTC, as the profile says."""
    if not text:
        return None
    try:
        if len(text) > _LONGEST_DATE_TIME:
            raise ValueError
        created = datetime.fromisoformat(text)
    except ValueError:
        raise malformed("Created", "不是日期时间", "is not a date and time") from None
    return created if created.tzinfo else created.replace(tzinfo=UTC)
