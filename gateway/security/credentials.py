"""Finds in a request who says to be calling: an AuthHeader, a WS-Security UsernameToken, or HTTP Basic.

One of them is enough. If several come they must say the same. Nothing is verified here; see authentication.py.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass

from lxml import etree

from gateway.errors import NotAuthenticated
from gateway.model.client import CLIENT_NAME
from gateway.security.passwords import LONGEST
from gateway.security.username_token import UsernameToken, malformed, only_text, read_username_token, text_of

GATEWAY = "urn:hospital-gateway:v1"
_AUTH_HEADER = f"{{{GATEWAY}}}AuthHeader"
# Some toolkits build header elements by hand and leave out the namespace of the children.
_USERNAME = (f"{{{GATEWAY}}}Username", "Username")
_PASSWORD = (f"{{{GATEWAY}}}Password", "Password")


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """A user name with a password, a token, or both; its repr shows none of them."""

    name: str
    password: str | None
    token: UsernameToken | None = None

    def __repr__(self) -> str:
        return "<Credentials>"


def read_credentials(headers: Sequence[etree._Element], authorization: str | None) -> Credentials | None:
    """Who says to be calling, by the SOAP header blocks and the HTTP Authorization line; None if nobody says."""
    token = read_username_token(headers)
    found = [pair for pair in (_auth_header(headers), _basic(authorization)) if pair]
    if token:
        found.append((token.name, token.password))
    if not found:
        return None
    names = {name for name, _ in found}
    passwords = {password for _, password in found if password is not None}
    if len(names) > 1 or len(passwords) > 1:
        raise NotAuthenticated("多种身份信息不一致。", "The message carries several user names or passwords.")
    return credentials_of(names.pop(), passwords.pop() if passwords else None, token)


def credentials_of(name: str, password: str | None, token: UsernameToken | None = None) -> Credentials:
    """What somebody says, found in any other place too. Raises NotAuthenticated for what no client could say."""
    if not CLIENT_NAME.fullmatch(name) or len(password or "") > LONGEST:
        raise NotAuthenticated()  # no client has such a name or password
    return Credentials(name, password, token)


def _auth_header(headers: Sequence[etree._Element]) -> tuple[str, str | None] | None:
    """An empty one counts as absent: generated clients send it when nothing was filled in."""
    blocks = [header for header in headers if header.tag == _AUTH_HEADER]
    if not blocks:
        return None
    if len(blocks) > 1:
        raise malformed("AuthHeader", "只能出现一次", "may come only once")
    if not "".join(blocks[0].itertext()).strip():
        return None
    username, password = only_text(blocks[0], *_USERNAME), only_text(blocks[0], *_PASSWORD)
    if username is None or password is None or len(blocks[0]) != 2:
        raise malformed("AuthHeader", "必须且只能包含 Username 和 Password", "holds exactly Username and Password")
    return text_of(username), text_of(password)


def _basic(authorization: str | None) -> tuple[str, str | None] | None:
    """Other schemes count as absent: the answer then says that Basic is understood."""
    scheme, _, encoded = (authorization or "").strip().partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError):
        raise malformed("Authorization: Basic", "无法解码", "cannot be decoded") from None
    if not colon:
        raise malformed("Authorization: Basic", "缺少冒号", "has no colon")
    return name, password
