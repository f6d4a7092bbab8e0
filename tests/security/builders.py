"""Header blocks and clocks for the tests of this folder."""

import base64
import hashlib
import os
from datetime import UTC, datetime, timedelta

from lxml import etree

from gateway.security.credentials import GATEWAY, Credentials
from gateway.security.username_token import WSSE, WSU

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
PASSWORD = "正确的-password-of-HIS"
OPERATIONS = ("SubmitRequisition", "ReportStatus", "ChargeItem")
DIGEST = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordDigest"


class Clock:
    """A clock one can set; it is the hospital's clock and the process's own at once."""

    def __init__(self) -> None:
        self.passed = 0.0

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.passed)

    def monotonic(self) -> float:
        return self.passed


def block(xml: str) -> etree._Element:
    """One header block; g, wsse and wsu are the prefixes of the three namespaces."""
    return etree.fromstring(f'<h xmlns:g="{GATEWAY}" xmlns:wsse="{WSSE}" xmlns:wsu="{WSU}">{xml}</h>')[0]


def auth_header(name: str = "HIS", password: str = PASSWORD) -> etree._Element:
    fields = f"<g:Username>{name}</g:Username><g:Password>{password}</g:Password>"
    return block(f"<g:AuthHeader>{fields}</g:AuthHeader>")


def username_token(fields: str) -> etree._Element:
    return block(f"<wsse:Security><wsse:UsernameToken>{fields}</wsse:UsernameToken></wsse:Security>")


def digest_token(
    name: str = "HIS", password: str = PASSWORD, *, created: str | datetime = NOON, nonce: bytes | None = None
) -> etree._Element:
    nonce = os.urandom(16) if nonce is None else nonce
    created = created if isinstance(created, str) else created.isoformat()
    digest = hashlib.sha1(nonce + created.encode() + password.encode()).digest()
    return username_token(
        f'<wsse:Username>{name}</wsse:Username><wsse:Password Type="{DIGEST}">{_base64(digest)}</wsse:Password>'
        f"<wsse:Nonce>{_base64(nonce)}</wsse:Nonce><wsu:Created>{created}</wsu:Created>"
    )


def basic(name: str = "HIS", password: str = PASSWORD) -> str:
    return "Basic " + _base64(f"{name}:{password}".encode())


def with_password(name: str = "HIS", password: str = PASSWORD) -> Credentials:
    return Credentials(name, password)


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
