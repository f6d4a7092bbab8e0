"""What a partner sees of who the gateway is, in the requests that really arrive."""

import dataclasses
import logging
from datetime import UTC, datetime

import pytest
from lxml import etree

from gateway.operations.dispatch import Outcome, PartnerAnswer
from gateway.partner_config import Partner
from gateway.partners.addressing import Stamp
from gateway.partners.registry import Partners
from gateway.partners.signature import WSSE
from tests.partners.certificates import Authority
from tests.partners.conftest import ORIGIN
from tests.partners.fake_partner import CONTRACT, WIRE, FakePartner, sample
from tests.partners.test_signature import verified

SECRET = "s3cret-w0rd"


@pytest.fixture
def send(partner: FakePartner, tmp_path):
    """Send a message under the settings of a partner.toml."""

    def run(operation: str = "ChargeItem", request=None, **settings) -> PartnerAnswer:
        his = Partner(name="HIS", url=partner.url, folder=tmp_path, **settings)
        partners = Partners([his], CONTRACT, WIRE, lambda: datetime.now(UTC))
        return partners.call("HIS", operation, request or sample(operation), Stamp("GW-1", ORIGIN), 5)

    return run


def header(partner: FakePartner) -> etree._Element:
    (received,) = partner.received
    return etree.fromstring(received.envelope)[0]


@pytest.mark.parametrize("soap_version", ["1.1", "1.2"])
@pytest.mark.parametrize("kind", ["username-token", "username-token-digest"])
def test_a_username_token_goes_alone(partner, send, kind, soap_version):
    answer = send(username="gw", password=SECRET, auth={"kind": kind}, soap_version=soap_version)
    assert answer.is_yes
    assert [child.tag for child in header(partner)] == [f"{{{WSSE}}}Security"]
    assert "Authorization" not in partner.received[0].headers


@pytest.mark.parametrize("soap_version", ["1.1", "1.2"])
def test_a_signature_still_fits_the_body_that_arrived(partner, send, tmp_path, soap_version):
    issued = Authority(tmp_path).issue("gateway")
    files = {"certificate_file": "gateway.pem", "key_file": "gateway.key"}
    assert send(auth={"kind": "x509", "timestamp": True, **files}, soap_version=soap_version).is_yes
    assert verified(etree.fromstring(partner.received[0].envelope), issued, 2) == ["Timestamp", "Body"]


def test_headers_of_the_partners_own_go_along_in_http_and_soap(partner, send):
    auth = {"kind": "none", "http_headers": {"X-Token": "{key}"}, "soap_header": "<Key>{key}</Key>"}
    assert send(auth=auth | {"secrets": {"key": SECRET}}).is_yes
    assert partner.received[0].headers["X-Token"] == SECRET
    assert [(child.tag, child.text) for child in header(partner)] == [("Key", SECRET)]


def test_a_message_that_cannot_be_signed_is_not_sent(partner, send):
    answer = send(auth={"kind": "x509", "certificate_file": "gateway.pem"})
    assert (answer.outcome, answer.code) == (Outcome.NOT_SENT, "FILES")
    assert answer.detail.endswith("gateway.pem: it cannot be read: No such file or directory.")
    assert partner.received == []


def test_no_secret_gets_into_the_log_whatever_is_logged(partner, send, caplog):
    caplog.set_level(logging.DEBUG)
    partner.script.append("status:500")
    answers = [send(username="gw", password=SECRET, auth={"kind": kind}) for kind in ("basic", "username-token")]
    assert SECRET not in caplog.text + repr(answers)


def test_a_report_too_long_for_the_partner_is_refused_before_it_leaves(partner, send):
    report = dataclasses.replace(sample("SubmitReport"), findings="未" * 16384)
    answer = send("SubmitReport", report, fields=[{"path": "Findings", "length": 32767, "unit": "bytes"}])
    assert (answer.outcome, answer.code) == (Outcome.FAULT, "FIELD-LIMIT")
    assert answer.detail == "Findings has 49152 bytes, the partner takes 32767"
    assert partner.received == []


def test_or_its_address_goes_in_its_place(partner, send):
    report = dataclasses.replace(sample("SubmitReport"), findings="未" * 16384)
    limit = {"path": "Findings", "length": 32767, "unit": "bytes", "above": "url", "url": "https://pacs/{ReportNo}"}
    assert send("SubmitReport", report, fields=[limit]).is_yes
    assert partner.received[0].request.findings == f"https://pacs/{report.report_no}"
