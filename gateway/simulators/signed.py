"""Whether a body that was posted is signed as the gateway signs: by who has the secret, and not long ago."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import Any

OLDEST_SECONDS = 300
"""A signature older than this may be one that somebody has overheard."""


def is_signed(secret: str, body: bytes, environ: Mapping[str, Any]) -> bool:
    """Looks at X-Gateway-Timestamp and X-Gateway-Signature of a WSGI request."""
    at, given = environ.get("HTTP_X_GATEWAY_TIMESTAMP", ""), environ.get("HTTP_X_GATEWAY_SIGNATURE", "")
    expected = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    fresh = at.isdecimal() and abs(time.time() - int(at)) < OLDEST_SECONDS
    return fresh and hmac.compare_digest(f"sha256={expected}".encode(), given.encode())
