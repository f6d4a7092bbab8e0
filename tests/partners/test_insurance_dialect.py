"""The way to an insurance platform: what it is told, and what is made of everything it may answer."""

import dataclasses
import hashlib
import hmac
import json
import logging
import ssl
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from gateway.operations.dispatch import Origin, Outcome, PartnerAnswer
from gateway.operations.insurance import OPERATIONS, SETTLE, UNSETTLE, UPLOAD, WITHDRAW
from gateway.operations.insurance_books import InsuranceDetail, InsuranceTotals, InsuranceUnavailable
from gateway.partner_config import Partner
from gateway.partners.addressing import Stamp
from gateway.partners.insurance.dialect import MAIN
from gateway.partners.insurance.fields import FIELDS, SECTIONS, detail_no, written
from gateway.partners.insurance.messages import Envelope, Function, Undo
from gateway.partners.insurance.signing import SIGNATURES
from gateway.partners.registry import Partners
from gateway.terms import VisitType
from tests.partners.certificates import Authority, server_context
from tests.partners.fake_partner import CONTRACT, WIRE, FakePartner, Received, sample

ORIGIN = Origin("G251125025325123abcdef0123", "44643245-7", "01", "PACS", "PACS-1")
MSGID = "H44010000001" + "20251125025325" + "0007"
NOON = datetime(2025, 11, 25, 12, 0, tzinfo=UTC)
BATCH = "G251125025325123abcdef0123-C"
LOGIN_PAGE = "raw:<!DOCTYPE html><html><body><form action='/login'></form></body></html>"
PLATFORM = {"fixmedins_code": "H44010000001", "mdtrtarea_admvs": "440100"}


class FakePlatform(FakePartner):
    """A platform that says yes and remembers which msgids it has carried out; scripted like every fake partner."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(tls=tls)
        self.outputs: dict[str, Any] = {
            "2201": {"data": {"mdtrt_id": "JZ1"}},
            "2401": {"result": {"mdtrt_id": "JZ2"}},
            "2206": {"setlinfo": {"medfee_sumamt": "238.50"}},
            "2303": {"setlinfo": {"medfee_sumamt": 238.50}},
            "2207": {"setlinfo": {"setl_id": "JS1"}},
            "2304": {"setlinfo": {"setl_id": "JS1"}},
            "9001": {"signinoutb": {"sign_no": "QD1"}},
        }

    def messages(self, function: str | None = None) -> list[dict[str, Any]]:
        return [r.request for r in self.sent(function)]

    def _serve(self, http: BaseHTTPRequestHandler) -> None:
        body = http.rfile.read(int(http.headers["Content-Length"]))
        message = json.loads(body)
        received = Received(message["infno"], message["msgid"], message, time.time(), headers=dict(http.headers))
        received.envelope = body
        with self._lock:
            self.received.append(received)
            received.behaviour = self.script.popleft() if self.script else self.behave(received)
        if received.behaviour.startswith("code:"):
            code = received.behaviour.removeprefix("code:")
            return self._reply(http, 200, _json(received, code))
        self._act(http, received, "")
        return None

    def _yes(self, received: Received) -> Any:
        self.seen.add(received.message_id)
        return received

    def _envelope(self, soap: str, content: Any) -> bytes:
        return _json(content, 0, self.outputs.get(content.operation, {}))


def _json(received: Received, code: Any, output: Any = None) -> bytes:
    said = "" if code == 0 else "王𠮷祥的费用不允许上传"
    answer = {"infcode": code, "inf_refmsgid": received.message_id, "err_msg": said, "output": output}
    return json.dumps(answer).encode()


def answer(**changes: Any) -> str:
    """A scripted answer in the platform's form."""
    return "reply:" + json.dumps({"infcode": 0, "inf_refmsgid": MSGID, "err_msg": "", "output": {}} | changes)


@pytest.fixture
def platform() -> Iterator[FakePlatform]:
    fake = FakePlatform()
    yield fake
    fake.close()


@pytest.fixture
def partners(platform: FakePlatform) -> Callable[..., Partners]:
    """The gateway's way to the platform; `settings` are keys of [insurance]."""

    def made(now: Callable[[], datetime] = lambda: NOON, **settings: Any) -> Partners:
        partner = Partner(name="YB", url=platform.url, dialect="insurance", insurance=PLATFORM | settings)
        return Partners([partner], CONTRACT, WIRE, now)

    return made


def bill(charge_no: str = BATCH, visit_type: VisitType = VisitType.INPATIENT, **visit: Any) -> Any:
    """What a delivery carries: one line of 238.50 of an insured visit the platform knows as JZ9."""
    request = sample("ChargeItem")
    values = {"visit_type": visit_type, "visit_seq": "JZ9", "insurance_no": "YB1"} | visit
    line = dataclasses.replace(
        request.lines[0], quantity=Decimal("1"), unit_price=Decimal("238.50"), actual_amount=Decimal("238.50")
    )
    visit_block = dataclasses.replace(request.visit, **values)
    return dataclasses.replace(request, charge_no=charge_no, visit=visit_block, lines=(line,))


def call(way: Partners, operation: str = UPLOAD, request: Any = None, seconds: float = 30) -> PartnerAnswer:
    return way.call("YB", operation, request or bill(), Stamp("GW-7", ORIGIN), seconds)


# --- What the platform is told ----------------------------------------------------------------------------------------


def test_every_message_stands_in_the_envelope_of_the_national_interface(platform, partners):
    assert call(partners()).is_yes
    (message,) = platform.messages()
    assert {name: value for name, value in message.items() if name != "input" and value is not None} == {
        "infno": "2301",
        "msgid": MSGID,
        "mdtrtarea_admvs": "440100",
        "insuplc_admdvs": "440100",
        "recer_sys_code": "YBXT",
        "infver": "V1.0",
        "opter_type": "2",
        "opter": "GATEWAY",
        "opter_name": "集成网关",
        "inf_time": "2025-11-25 12:00:00",
        "fixmedins_code": "H44010000001",
    }


@pytest.mark.parametrize(
    ("operation", "visit_type", "functions"),
    [
        (UPLOAD, VisitType.OUTPATIENT, ["2204"]),
        (UPLOAD, VisitType.EMERGENCY, ["2204"]),
        (UPLOAD, VisitType.INPATIENT, ["2301"]),
        (WITHDRAW, VisitType.OUTPATIENT, ["2205"]),
        (WITHDRAW, VisitType.INPATIENT, ["2302"]),
        (SETTLE, VisitType.OUTPATIENT, ["2206", "2207"]),
        (SETTLE, VisitType.INPATIENT, ["2303", "2304"]),
        (UNSETTLE, VisitType.OUTPATIENT, ["2208"]),
        (UNSETTLE, VisitType.INPATIENT, ["2305"]),
    ],
)
def test_each_delivery_is_the_function_of_its_kind_of_visit(platform, partners, operation, visit_type, functions):
    assert call(partners(), operation, bill(visit_type=visit_type)).is_yes
    assert [message["infno"] for message in platform.messages()] == functions


def test_a_detail_carries_its_money_exactly(platform, partners):
    call(partners())
    (line,) = platform.messages()[0]["input"]["feedetail"]
    assert (line["det_item_fee_sumamt"], line["pric"], line["cnt"]) == ("238.50", "238.50", "1")
    assert (line["mdtrt_id"], line["psn_no"], line["chrg_bchno"]) == ("JZ9", "YB1", BATCH)
    assert line["feedetl_sn"] == detail_no(BATCH, 1) == "251125025325123abcdef0123C001"


def test_times_are_hospital_time_wherever_they_come_from(platform, partners):
    hospital_time = timezone(timedelta(hours=8))
    late = dataclasses.replace(bill(), occurred_at=datetime(2025, 11, 24, 16, 30, tzinfo=UTC))
    call(partners(lambda: NOON.astimezone(hospital_time)), request=late)
    message = platform.messages()[0]
    assert message["input"]["feedetail"][0]["fee_ocur_time"] == "2025-11-25 00:30:00"
    assert message["inf_time"] == "2025-11-25 20:00:00"


def test_an_inpatients_lines_and_an_outpatients_batch_are_withdrawn(platform, partners):
    call(partners(), WITHDRAW)
    call(partners(), WITHDRAW, bill(visit_type=VisitType.OUTPATIENT))
    inpatient, outpatient = (message["input"]["data"] for message in platform.messages())
    assert [line["feedetl_sn"] for line in inpatient] == [detail_no(BATCH, 1)]
    assert outpatient == {"psn_no": "YB1", "mdtrt_id": "JZ9", "chrg_bchno": BATCH}


def test_a_settlement_names_the_total_and_its_reversal_the_platforms_number(platform, partners):
    settled = call(partners(), SETTLE)
    assert settled.response.his_charge_no == "JS1"
    assert platform.messages("2304")[0]["input"]["data"]["medfee_sumamt"] == "238.50"
    call(partners(), UNSETTLE, bill("JS1"))
    assert platform.messages("2305")[0]["input"]["data"]["setl_id"] == "JS1"


def test_a_platform_that_comes_to_another_total_is_not_told_to_settle(platform, partners):
    platform.outputs["2303"] = {"setlinfo": {"medfee_sumamt": "238.49"}}
    refused = call(partners(), SETTLE)
    assert (refused.outcome, refused.code) == (Outcome.ANSWERED, "TOTAL")
    assert platform.messages("2304") == []


def test_the_same_delivery_has_the_same_number_on_every_attempt_and_another_one_another(platform, partners):
    way = partners()
    call(way), call(way)
    way.call("YB", UPLOAD, bill(), Stamp("GW-8", ORIGIN), 5)
    assert [message["msgid"][-4:] for message in platform.messages()] == ["0007", "0007", "0008"]


# --- Registering visits -----------------------------------------------------------------------------------------------


def test_a_visit_is_registered_once_before_its_first_upload(platform, partners):
    way = partners(registers=True)
    call(way), call(way)
    assert [message["infno"] for message in platform.messages()] == ["2401", "2301", "2301"]
    assert platform.messages()[0]["input"]["mdtrtinfo"]["ipt_otp_no"] == bill().visit.visit_no
    assert platform.messages()[1]["input"]["feedetail"][0]["mdtrt_id"] == "JZ2"


def test_another_process_registers_it_under_the_same_number(platform, partners):
    for _ in range(2):
        call(partners(registers=True), request=bill(visit_type=VisitType.OUTPATIENT))
    numbers = {message["msgid"] for message in platform.messages("2201")}
    assert len(numbers) == 1
    assert len(numbers.pop()) == 30


def test_an_unknown_person_is_refused_before_anything_is_uploaded(platform, partners):
    platform.script.append("code:-1")
    refused = call(partners(registers=True))
    assert (refused.outcome, refused.code) == (Outcome.ANSWERED, "-1")
    assert platform.messages("2301") == []


def test_when_a_registration_is_not_answered_the_upload_was_certainly_not_sent(platform, partners):
    platform.script.append("lost")
    unanswered = call(partners(registers=True))
    assert (unanswered.outcome, unanswered.code) == (Outcome.NOT_SENT, "CUT-OFF")


@pytest.mark.parametrize("missing", ["insurance_no", "visit_seq"])
def test_a_visit_without_its_numbers_cannot_be_told(platform, partners, missing):
    told = call(partners(), request=bill(**{missing: None}))
    assert (told.outcome, told.code) == (Outcome.FAULT, "MESSAGE")
    assert platform.messages() == []


# --- Signing in and signing -------------------------------------------------------------------------------------------


def test_a_platform_that_wants_it_is_signed_in_to_once_a_day(platform, partners):
    clock = [NOON]
    way = partners(lambda: clock[0], sign_in=True)
    call(way), call(way)
    clock[0] = NOON.replace(day=26)
    call(way)
    assert [message["infno"] for message in platform.messages()] == ["9001", "2301", "2301", "9001", "2301"]
    assert platform.messages("2301")[0]["sign_no"] == "QD1"


def test_a_sign_no_that_has_run_out_is_renewed_and_the_message_sent_again(platform, partners):
    way = partners(sign_in=True, sign_in_again=("1009",))
    platform.script += ["ok", "code:1009"]
    assert call(way).is_yes
    assert [message["infno"] for message in platform.messages()] == ["9001", "2301", "9001", "2301"]
    platform.script += ["code:-1"]
    assert call(way).code == "-1"


def test_a_request_is_signed_where_the_platform_asks_for_it(platform, partners):
    call(partners(signature="hmac-sha256", paasid="H1", secret="geheim"))
    received = platform.sent()[0]
    stamped = f"{received.headers['x-tif-timestamp']}{received.headers['x-tif-nonce']}".encode()
    expected = hmac.new(b"geheim", stamped + received.envelope, hashlib.sha256).hexdigest()
    assert (received.headers["x-tif-signature"], received.headers["x-tif-paasid"]) == (expected, "H1")


def test_another_signature_is_one_function(platform, partners, monkeypatch):
    monkeypatch.setitem(SIGNATURES, "none", lambda body, platform, now: {"x-sm3": str(len(body))})
    call(partners())
    assert platform.sent()[0].headers["x-sm3"] == str(len(platform.sent()[0].envelope))


# --- What is made of its answers --------------------------------------------------------------------------------------

INFCODES = [
    (0, Outcome.ANSWERED, "0"),
    ("0", Outcome.ANSWERED, "0"),
    (-1, Outcome.ANSWERED, "-1"),
    ("-1", Outcome.ANSWERED, "-1"),
    (1, Outcome.ANSWERED, "1"),
    ("600501", Outcome.ANSWERED, "600501"),
    ("", Outcome.UNKNOWN, "OFF-CONTRACT"),
    (None, Outcome.UNKNOWN, "OFF-CONTRACT"),
]


@pytest.mark.parametrize(("infcode", "outcome", "code"), INFCODES)
def test_every_infcode_has_its_meaning(platform, partners, infcode, outcome, code):
    platform.script.append(answer(infcode=infcode))
    told = call(partners())
    assert (told.outcome, told.code) == (outcome, code)
    assert told.is_yes == (code == "0")


@pytest.mark.parametrize(
    ("behaviour", "outcome", "code"),
    [
        ("http:503", Outcome.NOT_SENT, "HTTP-503"),
        ("http:401", Outcome.NOT_SENT, "HTTP-401"),
        ("http:413", Outcome.FAULT, "HTTP-413"),
        ("http:500", Outcome.UNKNOWN, "HTTP-500"),
        ("http:302", Outcome.UNKNOWN, "HTTP-302"),
        ("close", Outcome.UNKNOWN, "CUT-OFF"),
        ("reset", Outcome.UNKNOWN, "CUT-OFF"),
        ("cut", Outcome.UNKNOWN, "CUT-OFF"),
        (LOGIN_PAGE, Outcome.UNKNOWN, "NOT-JSON"),
        ("raw:", Outcome.UNKNOWN, "EMPTY"),
        ("reply:OK", Outcome.UNKNOWN, "NOT-JSON"),
        ("reply:" + "[" * 100_000, Outcome.UNKNOWN, "NOT-JSON"),
        ("reply:[]", Outcome.UNKNOWN, "OFF-CONTRACT"),
        ("reply:{}", Outcome.UNKNOWN, "OFF-CONTRACT"),
        ("reply:null", Outcome.UNKNOWN, "OFF-CONTRACT"),
    ],
)
def test_every_misbehaviour_has_its_meaning(platform, partners, behaviour, outcome, code):
    platform.script.append(behaviour)
    told = call(partners())
    assert (told.outcome, told.code, told.response) == (outcome, code, None)


@pytest.mark.parametrize("behaviour", ["hang:60", "drip:0.1", "slow:60"])
def test_one_deadline_covers_everything(platform, partners, behaviour):
    platform.script.append(behaviour)
    started = time.monotonic()
    told = call(partners(), seconds=0.6)
    assert time.monotonic() - started < 20
    assert (told.outcome, told.code) == (Outcome.UNKNOWN, "TIMEOUT")


def test_an_answer_to_another_message_is_no_answer_where_the_platform_repeats_numbers(platform, partners):
    platform.script += [answer(inf_refmsgid="X1"), answer(inf_refmsgid="X1")]
    told = call(partners(echoes_msgid=True))
    assert (told.outcome, told.code) == (Outcome.UNKNOWN, "WRONG-REPLY")
    assert call(partners()).is_yes


def test_why_a_platform_refuses_is_kept_for_who_may_see_it_and_not_logged(platform, partners, caplog):
    caplog.set_level(logging.DEBUG)
    for behaviour in ("code:-1", "http:500", LOGIN_PAGE, "ok"):
        platform.script.append(behaviour)
        told = call(partners(signature="hmac-sha256", secret="geheim"))
        assert ("费用" in told.text) == (behaviour == "code:-1")
    assert not [word for word in ("王𠮷祥", "geheim", "YB1", "infno") if word in caplog.text]


# --- A lost answer ----------------------------------------------------------------------------------------------------


def test_a_lost_upload_is_undone_before_it_is_sent_again(platform, partners):
    way, stamp = partners(), Stamp("GW-7", ORIGIN)
    platform.script.append("lost")
    assert call(way).outcome is Outcome.UNKNOWN
    assert way.find_booking("YB", UPLOAD, bill(), stamp) is None
    undo = platform.messages("2601")[0]
    assert undo["input"]["data"] == {"psn_no": "YB1", "omsgid": MSGID, "oinfno": "2301"}
    assert undo["msgid"] != MSGID
    assert call(way).is_yes


def test_a_platform_that_has_nothing_to_undo_gets_the_message_again(platform, partners):
    platform.script.append("code:-1")
    assert partners().find_booking("YB", WITHDRAW, bill(), Stamp("GW-7", ORIGIN)) is None


def test_while_it_does_not_answer_nothing_is_sent_again(platform, partners):
    platform.script.append("close")
    found = partners().find_booking("YB", UPLOAD, bill(), Stamp("GW-7", ORIGIN))
    assert (found.outcome, found.code) == (Outcome.UNKNOWN, "QUERY-CUT-OFF")


# --- Its books --------------------------------------------------------------------------------------------------------


def test_its_books_can_be_read_for_reconciliation(platform, partners):
    row = {"chrg_bchno": BATCH, "feedetl_sn": "D1", "ipt_otp_no": "V1", "det_item_fee_sumamt": 8.30, "state": "SETTLED"}
    platform.outputs["3201"] = {"stmtinfo": {"setl_cnt": 1, "medfee_sumamt": "8.30"}}
    platform.outputs["3202"] = {"detail": [row]}
    books, day = partners().insurance("YB"), date(2025, 11, 25)
    assert books.insurance_totals(day) == InsuranceTotals(day=day, count=1, amount=Decimal("8.30"))
    expected = InsuranceDetail(batch_no=BATCH, detail_no="D1", visit_no="V1", amount=Decimal("8.3"), state="SETTLED")
    assert books.insurance_details(day) == (expected,)
    asked = {"stmt_begndate": "2025-11-25", "stmt_enddate": "2025-11-25"}
    assert [message["input"]["data"] for message in platform.messages()] == [asked, asked]


def test_books_that_cannot_be_read_are_not_empty_books(platform, partners):
    platform.script += ["code:-1", LOGIN_PAGE]
    for code in ("-1", "NOT-JSON"):
        with pytest.raises(InsuranceUnavailable, match=f"^{code}$"):
            partners().insurance("YB").insurance_details(date(2025, 11, 25))


def test_only_an_insurance_platform_has_such_books():
    his = Partners([Partner(name="HIS", url="http://127.0.0.1:1/soap")], CONTRACT, WIRE, lambda: NOON)
    assert his.insurance("HIS") is None


# --- The tables agree -------------------------------------------------------------------------------------------------


def test_every_function_and_every_operation_has_its_place():
    assert set(SECTIONS) == set(Function)
    assert set(MAIN) == set(OPERATIONS)
    for kind, names in FIELDS.items():
        own = {field.name for field in dataclasses.fields(kind)} - {"lines"}
        assert set(names) == own, kind.__name__


def test_a_value_that_is_not_there_is_not_sent():
    platform = Partner(name="YB", url="http://y/", dialect="insurance", insurance=PLATFORM).insurance
    message = Undo(person_no="YB1", message_no="M1", function="2207")
    envelope = Envelope(function=Function.UNDO, message_no="M2", sent_at=NOON, sign_no=None, message=message)
    assert written(envelope, platform)["input"] == {"data": {"psn_no": "YB1", "omsgid": "M1", "oinfno": "2207"}}


# --- Who the gateway is there -----------------------------------------------------------------------------------------


def test_a_platform_behind_tls_is_shown_our_certificate_and_the_headers_it_wants(tmp_path):
    authority = Authority(tmp_path)
    context = server_context(authority.issue(), authority)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    authority.issue("gateway")
    fake = FakePlatform(context)
    settings = {
        "tls": {"ca_file": "hospital-ca.pem", "certificate_file": "gateway.pem", "key_file": "gateway.key"},
        "auth": {"http_headers": {"X-Key": "{key}"}, "secrets": {"key": "k1"}},
    }

    def way(**chosen: Any) -> Partners:
        partner = Partner(
            name="YB", url=fake.url, dialect="insurance", insurance=PLATFORM, folder=tmp_path, **settings | chosen
        )
        return Partners([partner], CONTRACT, WIRE, lambda: NOON)

    try:
        assert call(way()).is_yes
        assert fake.received[0].headers["X-Key"] == "k1"
        answer = call(way(tls={"ca_file": "hospital-ca.pem"}))
        assert (answer.outcome, answer.code) == (Outcome.NOT_SENT, "TLS")
        assert len(fake.received) == 1
    finally:
        fake.close()
