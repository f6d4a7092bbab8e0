"""The dialect of a partner that only takes HTTP POSTs: JSON, XML, a web form or a text, below one address.

Stylesheets make the body of our request and read what its answer holds, as with every mapped partner; whether it was a
yes is told by the answer and by the HTTP status together (docs/partners.md, "Hooks").
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

from lxml import etree

from gateway.mapping import payload
from gateway.mapping.errors import MappingFailed, PayloadUnreadable
from gateway.mapping.functions import Circumstances, under
from gateway.mapping.success import Answered, Meaning
from gateway.operations.dispatch import Outcome, PartnerAnswer
from gateway.partner_config import Partner
from gateway.partners.addressing import Stamp
from gateway.partners.body_signature import signature
from gateway.partners.client import Door, Reply
from gateway.partners.failures import UnusableReply
from gateway.partners.mapped import CompiledMapping, Mapped, Surroundings, action_of
from gateway.partners.reply import REFUSED_UNREAD
from gateway.partners.unwrapping import characters

KINDS = {
    "json": "application/json",
    "xml": "application/xml",
    "form": "application/x-www-form-urlencoded",
    "text": "text/plain",
}
"""Payload -> Content-Type; [auth.http_headers] may say another."""
WORDS = {
    401: "it does not admit the gateway: see username, password_file, [auth] and [hook]",
    403: "it does not admit the gateway: see username, password_file, [auth] and [hook]",
    404: "there is nothing at this address: see url and function",
    405: "nothing can be posted to this address: see url and function",
    413: "the message is too large for it",
    415: "it does not take such a body: see payload",
    429: "it is asked too often: see rate_per_second",
    503: "it is not at work",
}
_FOREIGN = re.compile(r"[^\x00-\x7f]")


class Hook(Mapped):
    """One partner; any number of threads may use it.

    A yes comes only with a status from 200 to 299. With any other the answer can be a no or "not now", when its value
    is named in `refused` or `retry`, or its status in `refuses`; else the status alone decides what has become of it.
    """

    def __init__(self, partner: Partner, surroundings: Surroundings) -> None:
        super().__init__(partner, surroundings)
        self._door = Door(partner)
        self._answers = partner.hook.answers or ("json" if partner.payload == "form" else partner.payload)

    def operation_of(self, mapping: CompiledMapping) -> str:
        """What is asked of the partner, in HTTP's words; what its address says beyond the path may be a secret."""
        return f"POST {urlsplit(self._address(mapping)).path}"

    def rehearse(self, operation: str, request: Any, stamp: Stamp) -> tuple[str, etree._Element | str]:
        """What it would be sent, as text; of a form its fields. Raises what mapping raises."""
        mapping = self.mapping(operation, action_of(request))
        made, _ = self._made(operation, mapping, request, stamp)
        charset = "gb18030" if self._partner.charset.startswith("gb") else "utf-8"
        text = self._body(made).decode(charset)
        if self._partner.payload == "form":
            text = "\n".join(map("=".join, parse_qsl(text, keep_blank_values=True, encoding=charset)))
        return self.operation_of(mapping), text

    def understand_reply(self, operation: str, request: Any, stamp: Stamp, reply: Reply) -> PartnerAnswer:
        """What an answer would mean. Raises what makes it unusable."""
        mapping = self.mapping(operation, action_of(request))
        _, known = self._made(operation, mapping, request, stamp)
        with under(replace(known, outbound=False)):
            return self._answer(operation, mapping, stamp, self._taken_apart(mapping, reply))

    def _circumstances(self, mapping: CompiledMapping, stamp: Stamp, source: etree._Element) -> Circumstances:
        known = super()._circumstances(mapping, stamp, source)
        return replace(known, values={**known.values, **mapping.settings.fixed})

    # --- the request --------------------------------------------------------------------------------------------------

    def _exchanged(
        self, mapping: CompiledMapping, made: etree._Element | str, stamp: Stamp
    ) -> Answered | PartnerAnswer:
        partner, body = self._partner, self._body(made)
        headers = {
            "Content-Type": f"{KINDS[partner.payload]}; charset={partner.charset}",
            "X-Gateway-MessageId": stamp.message_id,
        }
        if partner.hook.secret is not None:
            at = int(self._around.now().timestamp())
            headers |= signature(partner.hook.secret.get_secret_value(), body, at)
        headers |= self._door.credentials.http_headers()
        return self._taken_apart(mapping, self._door.post(self._address(mapping), body, headers))

    def _address(self, mapping: CompiledMapping) -> str:
        url, (path, _, query) = urlsplit(str(self._partner.url)), mapping.settings.function.partition("?")
        below = f"{url.path.rstrip('/')}/{quote(path.strip('/'), safe='/%:@!$&()*+,;=~')}" if path else url.path
        return urlunsplit((url.scheme, url.netloc, below or "/", "&".join(filter(None, (url.query, query))), ""))

    def _body(self, made: etree._Element | str) -> bytes:
        """What the stylesheet has made as bytes. What the charset cannot hold is written as the form has it."""
        partner = self._partner
        if isinstance(made, str) and partner.payload in ("json", "xml"):
            payload.read(made, partner.payload)  # a quotation mark in a name may have broken it
        declaration = partner.declaration or partner.charset != "utf-8"
        text = payload.write(made, partner.payload, partner.charset, declaration=declaration)
        if partner.payload == "xml":
            return text.encode(partner.charset, "xmlcharrefreplace")
        try:
            return text.encode(partner.charset)
        except UnicodeEncodeError:
            if partner.payload != "json":
                raise MappingFailed(f"The message has a character that {partner.charset} cannot hold.") from None
        return _FOREIGN.sub(lambda one: json.dumps(one[0])[1:-1], text).encode("ascii")

    # --- the answer ---------------------------------------------------------------------------------------------------

    def _taken_apart(self, mapping: CompiledMapping, reply: Reply) -> Answered:
        """The answer, with its HTTP status as its code; one of a failed request need not be readable."""
        is_needed = mapping.success.reads_payload or mapping.response is not None
        try:
            content = self._content(reply, is_needed=is_needed)
        except UnusableReply:
            if _is_fine(reply.status):
                raise
            content = None
        empty = etree.Element("Nothing")
        return Answered(empty if content is None else content, str(reply.status), "", content)

    def _content(self, reply: Reply, *, is_needed: bool) -> etree._Element | None:
        """What the body holds, if anybody looks into it; a page is never passed over, whatever its status says."""
        text = characters(reply.body, reply.content_type)
        is_markup = text.lstrip("\ufeff \t\r\n").startswith("<")
        if not text.strip():
            if is_needed:
                raise UnusableReply("EMPTY", detail="The reply has no content.")
            return None
        if is_markup and self._answers == "text":
            raise UnusableReply("UNREADABLE", detail="XML or a web page came where a text was expected.")
        if not is_needed and not is_markup:
            return None
        try:
            return payload.read(text, self._answers)
        except PayloadUnreadable as problem:
            raise UnusableReply("UNREADABLE", detail=str(problem)) from None

    def _answer(self, operation: str, mapping: CompiledMapping, stamp: Stamp, answered: Answered) -> PartnerAnswer:
        status = int(answered.code)
        if _is_fine(status):
            return super()._answer(operation, mapping, stamp, answered)
        verdict = mapping.success.judge(answered, only_named=True)
        if verdict.meaning is Meaning.UNCLEAR and status in self._partner.hook.refuses:
            verdict = replace(verdict, meaning=Meaning.NO, value=f"HTTP-{status}")
        if verdict.meaning is Meaning.YES:  # whoever says so has seen the request
            raise UnusableReply(f"HTTP-{status}", detail=_in_words(status))
        if verdict.meaning is Meaning.UNCLEAR:
            raise UnusableReply(f"HTTP-{status}", REFUSED_UNREAD.get(status, Outcome.UNKNOWN), _in_words(status))
        return self._judged(operation, mapping, stamp, answered, verdict)


def _is_fine(status: int) -> bool:
    return 200 <= status < 300


def _in_words(status: int) -> str:
    if 300 <= status < 400:
        return f"The partner points to another address (HTTP {status}), which is not followed: see url and function."
    said = WORDS.get(status, "its program has failed" if status >= 500 else "and nothing in the answer says why")
    return f"The partner answers HTTP {status}: {said}."
