"""A channel that posts JSON to a program of the hospital, signed so that it can trust what it reads."""

from __future__ import annotations

import json
import time
from http.client import HTTPException

from gateway.critical_rules import WebhookNotifier
from gateway.notifiers.notice import Notice, NotTaken
from gateway.partners.body_signature import signature
from gateway.partners.client import post
from gateway.partners.connection import exchange
from gateway.partners.failures import UnusableReply


class Webhook:
    """Posts a notice; any 2xx answer says that it was taken."""

    def __init__(self, settings: WebhookNotifier) -> None:
        self._settings = settings

    def send(self, notice: Notice) -> None:
        body = json.dumps(notice.as_json(), ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json; charset=utf-8", "X-Gateway-Notice": notice.notice}
        if self._settings.secret is not None:
            headers |= signature(self._settings.secret.get_secret_value(), body, int(time.time()))
        seconds = self._settings.timeout_seconds
        try:
            with exchange(seconds, seconds):
                reply = post(str(self._settings.url), body, headers)
        except (OSError, HTTPException, UnusableReply, ValueError) as problem:
            raise NotTaken(type(problem).__name__) from None
        if not 200 <= reply.status < 300:
            raise NotTaken(f"HTTP-{reply.status}")
