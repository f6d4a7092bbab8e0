"""How a request proves at the platform's door that it comes from the hospital; partner.toml chooses it by one word.

SM3 and SM2, which some platforms demand, are not built: they are one function and one line here.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from datetime import datetime

from gateway.partner_config import InsurancePlatform

Signature = Callable[[bytes, InsurancePlatform, datetime], dict[str, str]]
"""Body, platform, time -> HTTP headers."""


def unsigned(body: bytes, platform: InsurancePlatform, now: datetime) -> dict[str, str]:
    """A platform behind a line of its own asks for none."""
    return {}


def hmac_sha256(body: bytes, platform: InsurancePlatform, now: datetime) -> dict[str, str]:
    """HMAC-SHA256 over time, nonce and body, with the secret both sides know."""
    secret = platform.secret.get_secret_value() if platform.secret else ""
    timestamp, nonce = str(int(now.timestamp())), secrets.token_hex(8)
    signature = hmac.new(secret.encode(), f"{timestamp}{nonce}".encode() + body, hashlib.sha256).hexdigest()
    return {
        "x-tif-paasid": platform.paasid,
        "x-tif-timestamp": timestamp,
        "x-tif-nonce": nonce,
        "x-tif-signature": signature,
    }


SIGNATURES: dict[str, Signature] = {"none": unsigned, "hmac-sha256": hmac_sha256}
