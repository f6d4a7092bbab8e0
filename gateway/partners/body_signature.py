"""How a body that is posted by HTTP says who wrote it, and when: the notices of webhooks, and the dialect "hook".

The header X-Gateway-Signature holds `sha256=` and the HMAC-SHA256, in hexadecimal, of the time in X-Gateway-Timestamp,
a full stop and the body.
"""

from __future__ import annotations

import hashlib
import hmac


def signature(secret: str, body: bytes, at: int) -> dict[str, str]:
    """The headers by which a receiver that has the secret knows its writer and its age."""
    signed = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return {"X-Gateway-Timestamp": str(at), "X-Gateway-Signature": f"sha256={signed}"}
