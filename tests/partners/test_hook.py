"""A partner that only takes HTTP POSTs: what leaves for it, and what each of its answers means for the delivery."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from lxml import etree
from pydantic import SecretStr, ValidationError

from gateway.config import load_settings
from gateway.mapping.codes import Unmapped, UnmappedPolicy
from gateway.operations.dispatch import Outcome, PartnerAnswer
from gateway.partner_config import Partner
from gateway.partners.addressing import Stamp
from gateway.partners.registry import Partners
from tests.partners.certificates import Authority, server_context
from tests.partners.conftest import ORIGIN
from tests.partners.fake_partner import CONTRACT, WIRE, sample
from tests.partners.raw_partner import RawPartner, answers, says

XSL = 'version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:g="urn:hospital-gateway:functions"'
REQUEST = f"""<xsl:stylesheet {XSL} exclude-result-prefixes="g">
  <xsl:template match="/Request">
    <Json>
      <id><xsl:value-of select="g:value('message_id')"/></id>
      <no><xsl:value-of select="RequisitionNo | ChargeNo"/></no>
      <name><xsl:value-of select="PerformerName | Patient/PatientName"/></name>
    </Json>
  </xsl:template>
</xsl:stylesheet>"""
RESPONSE = f"""<xsl:stylesheet {XSL} exclude-result-prefixes="g">
  <xsl:template match="/*">
    <Response>
      <TransactionState>CONFIRMED</TransactionState>
      <HisChargeNo><xsl:value-of select="//bill"/></HisChargeNo>
      <ChargeNo><xsl:value-of select="g:request('ChargeNo')"/></ChargeNo>
    </Response>
  </xsl:template>
</xsl:stylesheet>"""
SUCCESS: dict[str, Any] = {
    "xpath": "/*/code",
    "accepted": ["0"],
    "refused": ["-1", "E7"],
    "retry": ["99"],
    "message": "/*/msg",
}
STATUS = {"at": "code", "accepted": ["200", "204"]}
PAGE = b"<!DOCTYPE html><html><head><title>Login</title></head><body>0</body></html>"
JSON = "application/json"


@dataclasses.dataclass
class Posted:
    """A request as the partner got it."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Receiver:
    """Takes posts, and answers what a test says: a status, a Content-Type and a body."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.posted: list[Posted] = []
        self.status, self.kind, self.body = 200, JSON, b'{"code": 0}'
        self.more: dict[str, str] = {}
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.posted.append(Posted(self.path, dict(self.headers), body))
                self.send_response(receiver.status)
                for name, value in {"Content-Type": receiver.kind, **receiver.more}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(receiver.body)))
                self.end_headers()
                self.wfile.write(receiver.body)

            def log_message(self, *words: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        scheme = "http" if tls is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_address[1]}/api"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def says(self, body: str | bytes, status: int = 200, kind: str = JSON) -> None:
        self.status, self.kind, self.body = status, kind, body.encode() if isinstance(body, str) else body

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def oa() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


Send = Callable[..., PartnerAnswer]


@pytest.fixture
def send(oa: Receiver, tmp_path: Path) -> Send:
    """Send a sample to it; `mapped` are keys of the operation, `settings` of its partner.toml."""

    def sent(
        operation: str = "ReportStatus",
        request: Any = None,
        *,
        mapped: dict[str, Any] | None = None,
        seconds: float = 5,
        codes: Any = None,
        **settings: Any,
    ) -> PartnerAnswer:
        partners = Partners(
            [partner(tmp_path, operation, mapped or {}, **{"url": oa.url, **settings})],
            CONTRACT,
            WIRE,
            lambda: datetime.now(UTC),
            codes=codes,
        )
        return partners.call("OA", operation, request or sample(operation), Stamp("GW-1", ORIGIN), seconds)

    return sent


def partner(folder: Path, operation: str, mapped: dict[str, Any], **settings: Any) -> Partner:
    for name, text in (("request.xsl", REQUEST), ("response.xsl", RESPONSE)):
        if not (folder / name).exists():
            (folder / name).write_text(text)
    known = {"request": "request.xsl"} | ({"response": "response.xsl"} if operation == "ChargeItem" else {})
    given = {"dialect": "hook", "payload": "json", "success": SUCCESS, "operations": {operation: known | mapped}}
    return Partner(name="OA", folder=folder, **given | settings)


# --- what leaves ------------------------------------------------------------------------------------------------------


def test_a_status_leaves_as_json_and_its_yes_is_understood(oa: Receiver, send: Send):
    answer = send()
    assert (answer.outcome, answer.code, answer.detail) == (Outcome.ANSWERED, "0", "")
    (posted,) = oa.posted
    assert posted.json["id"] == "GW-1"
    assert posted.json["no"] == sample("ReportStatus").requisition_no
    assert posted.headers["Content-Type"] == "application/json; charset=utf-8"
    assert posted.headers["X-Gateway-MessageId"] == "GW-1"
    assert "X-Gateway-Signature" not in posted.headers
    assert posted.path == "/api"


@pytest.mark.parametrize(
    ("function", "path"),
    [
        ("queue/status", "/api/queue/status"),
        ("/queue", "/api/queue"),
        ("?method=queue.status", "/api?method=queue.status"),
        ("a.do?m=1", "/api/a.do?m=1"),
        ("叫号", "/api/%E5%8F%AB%E5%8F%B7"),
    ],
)
def test_the_function_is_a_path_below_the_address(function: str, path: str, oa: Receiver, send: Send):
    assert send(mapped={"function": function}).is_yes
    assert oa.posted[0].path == path


def test_what_the_address_itself_asks_stays_in_it(oa: Receiver, send: Send):
    assert send(url=f"{oa.url}?access_token=T1", mapped={"function": "send?m=1"}).is_yes
    assert oa.posted[0].path == "/api/send?access_token=T1&m=1"


def named(name: str) -> Any:
    return dataclasses.replace(sample("ReportStatus"), performer_name=name)


@pytest.mark.parametrize("charset", ["utf-8", "gb18030", "gbk", "gb2312"])
@pytest.mark.parametrize("name", ["𠮷田", "䶮", '喆"\\<&>', "买买提·艾力"])
def test_rare_characters_and_marks_arrive_in_every_charset_as_json_and_xml(
    name: str, charset: Any, oa: Receiver, send: Send
):
    assert send(request=named(name), charset=charset).is_yes
    assert json.loads(oa.posted[0].body.decode(charset))["name"] == name
    assert send(request=named(name), charset=charset, payload="xml", hook={"answers": "json"}).is_yes
    assert oa.posted[1].headers["Content-Type"] == f"application/xml; charset={charset}"
    assert etree.fromstring(oa.posted[1].body.decode(charset).partition("?>")[2] or oa.posted[1].body).findtext(
        "name"
    ) == (name)


def test_a_form_has_a_field_for_each_element_and_json_in_one_that_has_its_own(oa: Receiver, send: Send, tmp_path: Path):
    (tmp_path / "form.xsl").write_text(
        f'<xsl:stylesheet {XSL} exclude-result-prefixes="g"><xsl:template match="/Request"><Form>'
        '<to>N2001</to><text><xsl:value-of select="PerformerName"/></text><data><n type="number">1</n></data>'
        "</Form></xsl:template></xsl:stylesheet>"
    )
    assert send(request=named("王 & 𠮷=1"), payload="form", mapped={"request": "form.xsl"}).is_yes
    (posted,) = oa.posted
    assert posted.headers["Content-Type"] == "application/x-www-form-urlencoded; charset=utf-8"
    assert parse_qsl(posted.body.decode("ascii")) == [("to", "N2001"), ("text", "王 & 𠮷=1"), ("data", '{"n": 1}')]


def test_a_text_that_the_charset_cannot_hold_is_not_sent(oa: Receiver, send: Send):
    answer = send(request=named("𠮷田"), payload="text", charset="gbk", success=STATUS)
    assert (answer.outcome, answer.code) == (Outcome.FAULT, "MAPPING")
    assert answer.detail == "The message has a character that gbk cannot hold."
    assert oa.posted == []


def test_it_is_told_who_we_are_and_the_body_is_signed_as_notices_are(oa: Receiver, send: Send):
    auth = {"http_headers": {"X-Key": "{key}"}, "secrets": {"key": SecretStr("K1")}}
    who = {"username": "gw", "password": SecretStr("p"), "auth": auth, "hook": {"secret": SecretStr("geheim")}}
    assert send(**who).is_yes
    (posted,) = oa.posted
    assert posted.headers["Authorization"] == "Basic Z3c6cA=="
    assert posted.headers["X-Key"] == "K1"
    at = posted.headers["X-Gateway-Timestamp"]
    signed = hmac.new(b"geheim", f"{at}.".encode() + posted.body, hashlib.sha256).hexdigest()
    assert posted.headers["X-Gateway-Signature"] == f"sha256={signed}"
    assert abs(int(at) - time.time()) < 60


def test_an_encrypted_partner_is_known_by_its_authority_and_no_other(send: Send, tmp_path: Path):
    authority = Authority(tmp_path)
    safe = Receiver(server_context(authority.issue("127.0.0.1")))
    try:
        assert send(url=safe.url, tls={"ca_file": str(authority.file)}).is_yes
        answer = send(url=safe.url)
        assert (answer.outcome, answer.code) == (Outcome.NOT_SENT, "TLS")
    finally:
        safe.close()


def test_values_of_the_settings_reach_the_stylesheet(oa: Receiver, send: Send, tmp_path: Path):
    (tmp_path / "fixed.xsl").write_text(REQUEST.replace("'message_id'", "'channel'"))
    assert send(mapped={"request": "fixed.xsl", "fixed": {"channel": "OA-7"}}).is_yes
    assert oa.posted[0].json["id"] == "OA-7"


# --- what an answer means ---------------------------------------------------------------------------------------------


def test_what_it_answers_stands_in_our_response(oa: Receiver, send: Send):
    oa.says('{"code": "0", "bill": "B17"}', 201)
    answer = send("ChargeItem")
    assert answer.is_yes
    assert (answer.response.his_charge_no, answer.response.charge_no) == ("B17", sample("ChargeItem").charge_no)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ('{"code": 0}', "text/html"),
        ('\ufeff {"code": " 0 "}', "text/plain; charset=ISO-8859-1"),
        ('"{\\"code\\": 0}"', JSON),
        ('{"code": 0, "msg": "已收到危急值提醒"}'.encode("gb18030"), f"{JSON}; charset=utf-8"),
        ('{"code": 0, "msg": "好"}'.encode("gbk"), f"{JSON}; charset=GBK"),
    ],
)
def test_a_yes_is_understood_however_it_is_labelled(body: str | bytes, kind: str, oa: Receiver, send: Send):
    oa.says(body, kind=kind)
    assert send().is_yes


@pytest.mark.parametrize(
    ("body", "status", "outcome", "code"),
    [
        ('{"code": -1, "msg": "无此申请单"}', 200, Outcome.ANSWERED, "-1"),
        ('{"code": 99}', 200, Outcome.ANSWERED, "99"),
        ('{"code": 7}', 200, Outcome.UNKNOWN, "UNCLEAR"),
        ("{}", 200, Outcome.UNKNOWN, "UNCLEAR"),
        ('{"code": 0', 200, Outcome.UNKNOWN, "UNREADABLE"),
        ('{"code": 0}{"code": 0}', 200, Outcome.UNKNOWN, "UNREADABLE"),
        ('{"code": 0, "code": -1}', 200, Outcome.UNKNOWN, "UNREADABLE"),
        ("OK", 200, Outcome.UNKNOWN, "UNREADABLE"),
        ("null", 200, Outcome.UNKNOWN, "UNREADABLE"),
        ("", 200, Outcome.UNKNOWN, "EMPTY"),
        ("  \n", 204, Outcome.UNKNOWN, "EMPTY"),
        (PAGE, 200, Outcome.UNKNOWN, "UNREADABLE"),
        # With another status only a value that is named counts, and never as a yes.
        ('{"code": "E7", "msg": "无此申请单"}', 422, Outcome.ANSWERED, "E7"),
        ('{"code": 99}', 500, Outcome.ANSWERED, "99"),
        ('{"code": 0}', 201, Outcome.ANSWERED, "0"),
        ('{"code": 0}', 400, Outcome.UNKNOWN, "HTTP-400"),
        ('{"code": 0}', 500, Outcome.UNKNOWN, "HTTP-500"),
        ('{"code": 0}', 302, Outcome.UNKNOWN, "HTTP-302"),
        ('{"code": 400}', 400, Outcome.UNKNOWN, "HTTP-400"),
        ("", 400, Outcome.UNKNOWN, "HTTP-400"),
        (PAGE, 500, Outcome.UNKNOWN, "HTTP-500"),
        (PAGE, 502, Outcome.UNKNOWN, "HTTP-502"),
        (PAGE, 403, Outcome.UNKNOWN, "HTTP-403"),
        (PAGE, 401, Outcome.NOT_SENT, "HTTP-401"),
        (PAGE, 404, Outcome.NOT_SENT, "HTTP-404"),
        ('{"status": 404, "error": "Not Found"}', 404, Outcome.NOT_SENT, "HTTP-404"),
        (PAGE, 405, Outcome.NOT_SENT, "HTTP-405"),
        ("", 413, Outcome.FAULT, "HTTP-413"),
        ("", 429, Outcome.NOT_SENT, "HTTP-429"),
        (PAGE, 503, Outcome.NOT_SENT, "HTTP-503"),
        ('{"code": 0}', 503, Outcome.UNKNOWN, "HTTP-503"),
    ],
)
def test_only_a_clear_answer_is_one(
    body: str | bytes, status: int, outcome: Outcome, code: str, oa: Receiver, send: Send
):
    oa.says(body, status)
    answer = send("ChargeItem", mapped={"response": None})
    assert (answer.outcome, answer.code) == (outcome, code)
    assert answer.detail or outcome is Outcome.ANSWERED
    assert "Login" not in answer.detail
    if code == "99":
        assert answer.response.result.retryable


def test_every_other_value_is_a_no_only_with_a_status_of_success(oa: Receiver, send: Send):
    every = SUCCESS | {"refused": ["*"]}
    oa.says('{"code": 1203, "msg": "接收人不存在"}')
    answer = send(success=every)
    assert (answer.outcome, answer.code, answer.text) == (Outcome.ANSWERED, "1203", "接收人不存在")
    oa.says('{"code": 401, "msg": "token expired"}', 401)
    answer = send(success=every)
    assert (answer.outcome, answer.code) == (Outcome.NOT_SENT, "HTTP-401")


def test_a_status_by_which_its_program_refuses_is_a_no_in_its_own_words(oa: Receiver, send: Send):
    refuses = {"refuses": (400, 422)}
    oa.says('{"code": 1203, "msg": "接收人不存在"}', 422)
    answer = send(hook=refuses)
    assert (answer.outcome, answer.code, answer.text) == (Outcome.ANSWERED, "HTTP-422", "接收人不存在")
    oa.says(PAGE, 400)
    assert send(hook=refuses).code == "HTTP-400"
    oa.says('{"code": 0}', 422)  # it says both yes and no
    answer = send(hook=refuses)
    assert (answer.outcome, answer.code) == (Outcome.UNKNOWN, "HTTP-422")


def test_the_status_alone_may_be_the_yes_but_a_page_never_is(oa: Receiver, send: Send):
    for body, status in (("", 204), ("OK", 200), ('{"code": 7}', 200)):
        oa.says(body, status)
        assert send(success=STATUS).is_yes
    for body in (PAGE, b"<script>location='/login'</script>", b"<string>OK</string>"):
        oa.says(body)
        answer = send(success=STATUS)
        assert (answer.outcome, answer.code) == (Outcome.UNKNOWN, "UNREADABLE")
    oa.says("", 202)
    assert send(success=STATUS).code == "UNCLEAR"


def test_a_word_may_be_the_yes(oa: Receiver, send: Send):
    word = {"xpath": "string(/*)", "accepted": ["success"], "refused": ["fail"]}
    for said, code in (("SUCCESS", "0"), (" success\n", "0"), ("fail", "fail"), ("success?", "UNCLEAR")):
        oa.says(said, kind="text/html")
        assert send(success=word, hook={"answers": "text"}).code == code
    oa.says(PAGE)
    assert send(success=word, hook={"answers": "text"}).code == "UNREADABLE"


def test_a_web_service_that_takes_forms_answers_xml(oa: Receiver, send: Send):
    word = {"xpath": "string(/*)", "accepted": ["1"], "refused": ["-1"]}
    oa.says('<?xml version="1.0" encoding="utf-8"?>\r\n<string xmlns="http://tempuri.org/">1</string>', kind="text/xml")
    assert send(payload="form", success=word, hook={"answers": "xml"}).is_yes
    oa.says(PAGE)
    assert send(payload="form", success=word, hook={"answers": "xml"}).code == "UNREADABLE"


def test_where_a_redirect_leads_nothing_is_sent(oa: Receiver, send: Send):
    other = Receiver()
    try:
        oa.more = {"Location": f"{other.url}/login?ticket=SECRET"}
        oa.says("", 307)
        answer = send()
        assert (answer.outcome, answer.code) == (Outcome.UNKNOWN, "HTTP-307")
        assert answer.detail == (
            "The partner points to another address (HTTP 307), which is not followed: see url and function."
        )
        assert other.posted == []
    finally:
        other.close()


@pytest.mark.parametrize(
    ("status", "told"),
    [(401, "it does not admit the gateway"), (404, "there is nothing at this address"), (415, "see payload")],
)
def test_a_status_is_told_in_words_that_say_what_to_look_at(status: int, told: str, oa: Receiver, send: Send):
    oa.says(PAGE, status)
    assert told in send().detail


def test_a_yes_whose_answer_breaks_the_contract_is_no_yes_for_money(oa: Receiver, send: Send):
    oa.says(json.dumps({"code": 0, "bill": "9" * 500}))
    answer = send("ChargeItem")
    assert (answer.outcome, answer.code) == (Outcome.UNKNOWN, "OFF-CONTRACT")
    assert "9999" not in answer.detail


# --- a connection that fails ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("conversation", "code"),
    [
        (says(b""), "CUT-OFF"),
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n" + b'{"code": 0'), "CUT-OFF"),
        (says(*[b"H"] * 60, pause=0.02), "TIMEOUT"),
        (answers(b"\x1f\x8b damaged", "200 OK", "Content-Encoding: gzip"), "NOT-XML"),
    ],
)
def test_an_answer_that_did_not_come_whole_leaves_the_outcome_unknown(conversation: Any, code: str, send: Send):
    raw = RawPartner(conversation)
    try:
        answer = send(url=f"http://127.0.0.1:{raw.port}/", seconds=0.5)
        assert (answer.outcome, answer.code) == (Outcome.UNKNOWN, code)
    finally:
        raw.close()


def test_an_answer_without_end_is_given_up(send: Send, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("gateway.partners.client.LARGEST_REPLY", 100_000)
    raw = RawPartner(says(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + b" " * 400_000))
    try:
        answer = send(url=f"http://127.0.0.1:{raw.port}/")
        assert (answer.outcome, answer.code) == (Outcome.UNKNOWN, "TOO-LARGE")
    finally:
        raw.close()


def test_nothing_was_sent_when_nobody_listens(oa: Receiver, send: Send):
    answer = send(url="http://127.0.0.1:1/api")
    assert (answer.outcome, answer.code) == (Outcome.NOT_SENT, "CONNECT")


# --- what is not sent -------------------------------------------------------------------------------------------------


def test_a_message_that_cannot_be_mapped_is_not_sent(oa: Receiver, send: Send, tmp_path: Path):
    for name, changed in (("fail", "g:fail('no room')"), ("date", "g:date('yesterday')")):
        (tmp_path / f"{name}.xsl").write_text(REQUEST.replace("g:value('message_id')", changed))
        answer = send(mapped={"request": f"{name}.xsl"})
        assert (answer.outcome, answer.code) == (Outcome.FAULT, "MAPPING")
    assert send("SubmitReport", mapped={"request": "none.xsl"}).code == "STYLESHEET"
    assert oa.posted == []


def test_a_text_that_a_name_has_broken_is_not_sent(oa: Receiver, send: Send, tmp_path: Path):
    (tmp_path / "text.xsl").write_text(
        f'<xsl:stylesheet {XSL}><xsl:output method="text"/><xsl:template match="/Request">'
        '{"name": "<xsl:value-of select="PerformerName"/>"}</xsl:template></xsl:stylesheet>'
    )
    assert send(request=named("王"), mapped={"request": "text.xsl"}).is_yes
    answer = send(request=named('王"x'), mapped={"request": "text.xsl"})
    assert (answer.outcome, answer.code) == (Outcome.FAULT, "MAPPING")
    assert answer.detail == "The text holds no JSON, or only a part of it."
    assert [posted.json for posted in oa.posted] == [{"name": "王"}]


def test_what_it_need_not_have_is_kept_back_but_never_money(oa: Receiver, send: Send, tmp_path: Path):
    (tmp_path / "skip.xsl").write_text(REQUEST.replace("g:value('message_id')", "g:skip('no guest')"))
    assert send(mapped={"request": "skip.xsl"}).is_yes
    answer = send("ChargeItem", mapped={"request": "skip.xsl"})
    assert (answer.outcome, answer.code) == (Outcome.FAULT, "MAPPING")
    assert oa.posted == []


def test_a_field_that_is_too_long_for_it_is_not_sent(oa: Receiver, send: Send):
    limit = {"path": "PerformerName", "length": 3}
    answer = send(request=named("四个汉字"), fields=(limit,))
    assert (answer.outcome, answer.code) == (Outcome.FAULT, "FIELD-LIMIT")
    assert oa.posted == []


class NoRows:
    """Code tables in which nothing stands."""

    def translate(self, table: str, value: str, **words: Any) -> str:
        raise Unmapped(table, value, UnmappedPolicy.PARK)


def test_a_code_without_a_row_waits_for_it(oa: Receiver, send: Send, tmp_path: Path):
    (tmp_path / "code.xsl").write_text(REQUEST.replace("g:value('message_id')", "g:code('room', Room)"))
    answer = send(request=dataclasses.replace(named("x"), room="CT1"), mapped={"request": "code.xsl"}, codes=NoRows())
    assert (answer.outcome, answer.code) == (Outcome.NOT_SENT, "UNMAPPED")
    assert oa.posted == []


def test_money_whose_answer_was_lost_waits_for_a_person_unless_a_repetition_is_safe(oa: Receiver, tmp_path: Path):
    for safe, expected in ((False, "QUERY-NONE"), (True, None)):
        settings = partner(tmp_path, "ChargeItem", {}, url=oa.url, repeats_are_safe=safe)
        partners = Partners([settings], CONTRACT, WIRE, lambda: datetime.now(UTC))
        answer = partners.find_booking("OA", "ChargeItem", sample("ChargeItem"), Stamp("GW-1", ORIGIN))
        assert (answer.code if answer else None) == expected
    assert oa.posted == []


BOOKS = f"""<xsl:stylesheet {XSL} exclude-result-prefixes="g">
  <xsl:template match="/Json">
    <Response><Transactions><xsl:for-each select="bill"><Transaction>
      <Operation>ChargeItem</Operation><GatewayTxnNo>G1</GatewayTxnNo><SenderCode>PACS</SenderCode>
      <MessageId>GW-1</MessageId><ReceivedAt>2026-11-16T10:00:00+08:00</ReceivedAt><ResultCode>0</ResultCode>
      <ChargeNo><xsl:value-of select="g:request('ChargeNo')"/></ChargeNo>
      <HisChargeNo><xsl:value-of select="."/></HisChargeNo>
      <TransactionState>CONFIRMED</TransactionState>
    </Transaction></xsl:for-each></Transactions></Response>
  </xsl:template>
</xsl:stylesheet>"""


def test_money_whose_answer_was_lost_is_asked_for_where_that_can_be_asked(oa: Receiver, tmp_path: Path):
    (tmp_path / "books.xsl").write_text(BOOKS)
    query = {"function": "bill/query", "request": "request.xsl", "response": "books.xsl"}
    operations = {"ChargeItem": {"request": "request.xsl"}, "QueryTransaction": query}
    settings = partner(tmp_path, "ChargeItem", {}, url=oa.url, operations=operations)
    partners = Partners([settings], CONTRACT, WIRE, lambda: datetime.now(UTC))

    def found() -> PartnerAnswer | None:
        return partners.find_booking("OA", "ChargeItem", sample("ChargeItem"), Stamp("GW-1", ORIGIN))

    oa.says('{"code": 0, "bill": "B17"}')
    booked = found()
    assert booked is not None
    assert (booked.is_yes, booked.response.his_charge_no) == (True, "B17")
    oa.says('{"code": 0}')
    assert found() is None, "it does not know it: it is sent again"
    for body, status, code in (
        (PAGE, 200, "QUERY-UNREADABLE"),
        (PAGE, 500, "QUERY-HTTP-500"),
        ("", 302, "QUERY-HTTP-302"),
    ):
        oa.says(body, status)
        lost = found()
        assert lost is not None
        assert (lost.outcome, lost.code) == (Outcome.UNKNOWN, code)
    assert {posted.path for posted in oa.posted} == {"/api/bill/query"}


# --- settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"payload": "hl7"}, "a hook is sent payload"),
        ({"wsdl": "service.wsdl"}, "a hook has no wsdl"),
        ({"auth": {"kind": "username-token"}, "username": "a", "password": "b"}, "a hook gets no SOAP"),
        ({"auth": {"soap_header": "<a/>"}}, "a hook gets no SOAP"),
        ({"hook": {"refuses": [500]}}, "less than or equal to 499"),
        ({"hook": {"refuses": [429]}}, "429 is said by web servers"),
        ({"success": {"at": "code"}}, "HTTP statuses from 200 to 299"),
        ({"success": {"at": "code", "accepted": ["200", "409"]}}, "HTTP statuses from 200 to 299"),
        ({"success": {"at": "reply"}}, 'success.at of a hook is "payload" or "code"'),
        ({"url": "mllp://oa:1"}, "URL scheme should be"),
        ({"dialect": "canonical", "hook": {"refuses": [400]}, "operations": {}}, "belong to dialect"),
        ({"dialect": "call", "wsdl": "w", "payload": "form"}, "belong to dialect"),
        ({"dialect": "canonical", "payload": "xml"}, "belongs to the dialects"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings: dict[str, Any], told: str, tmp_path: Path):
    with pytest.raises(ValidationError, match=told):
        partner(tmp_path, "ReportStatus", {}, **{"url": "http://oa/", **settings})


def test_the_secret_that_signs_stands_in_a_file_and_follows_it(tmp_path: Path):
    folder = tmp_path / "partners" / "OA"
    folder.mkdir(parents=True)
    (tmp_path / "gateway.toml").write_text('hospital_code = "H1"\n')
    (folder / "partner.toml").write_text('url = "http://oa/"\ndialect = "hook"\n[hook]\nsecret_file = "hook.secret"\n')
    (folder / "hook.secret").write_text("one\n")
    (found,) = load_settings(tmp_path).partners
    assert found.hook.secret is not None
    (folder / "hook.secret").write_text("another\n")
    assert found.hook.secret.get_secret_value() == "another"
    assert "another" not in repr(found)


@pytest.mark.parametrize("function", ["../admin", "a/../b", "a#b", "//other.example.org/x", "a\nb", "?a b", "?叫号"])
def test_a_function_that_leads_elsewhere_is_refused(function: str, tmp_path: Path):
    with pytest.raises(ValidationError, match=r"operations\.ReportStatus\.function"):
        partner(tmp_path, "ReportStatus", {"function": function}, url="http://oa/")
