"""TLS with a partner: whom the gateway trusts, how it proves itself, and what it says when that fails."""

import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.file_secret import FileSecret
from gateway.operations.dispatch import Outcome, PartnerAnswer
from gateway.partner_config import Partner
from gateway.partners.addressing import Stamp
from gateway.partners.connection import Exchange
from gateway.partners.failures import told_as_answer
from gateway.partners.registry import Partners
from gateway.partners.tls import tls_terms, tls_warnings
from tests.partners.certificates import Authority, server_context
from tests.partners.conftest import ORIGIN
from tests.partners.fake_partner import CONTRACT, WIRE, FakePartner, sample

NOT_SENT = Outcome.NOT_SENT
CA = {"ca_file": "hospital-ca.pem"}
OURS = CA | {"certificate_file": "gateway.pem", "key_file": "gateway.key"}


@pytest.fixture
def authority(tmp_path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def start() -> Iterator[Callable[[ssl.SSLContext], FakePartner]]:
    running = []

    def run(context: ssl.SSLContext) -> FakePartner:
        running.append(FakePartner(tls=context))
        return running[-1]

    yield run
    for one in running:
        one.close()


@pytest.fixture
def site(tmp_path):
    """The gateway's way to one partner, with the files of a folder."""

    def make(partner: FakePartner, **tls: Any) -> Callable[[], PartnerAnswer]:
        settings = Partner(name="HIS", url=partner.url, folder=tmp_path, tls=tls)
        partners = Partners([settings], CONTRACT, WIRE, lambda: datetime.now(UTC))
        return lambda: partners.call("HIS", "ChargeItem", sample("ChargeItem"), Stamp("GW-1", ORIGIN), 5)

    return make


def told(answer: PartnerAnswer) -> tuple[Outcome, str]:
    return answer.outcome, answer.code


def limited(context: ssl.SSLContext, version: ssl.TLSVersion) -> ssl.SSLContext:
    context.maximum_version = version
    return context


# --- whom the gateway trusts ------------------------------------------------------------------------------------------


def test_a_partner_of_the_hospitals_own_authority_is_spoken_to(authority, start, site):
    his = start(server_context(authority.issue()))
    assert site(his, **CA)().is_yes


def test_a_certificate_that_stands_in_ca_file_itself_is_trusted(authority, start, site):
    his = start(server_context(authority.issue()))
    assert site(his, ca_file="localhost.pem")().is_yes


def test_with_an_authority_of_its_own_no_other_is_trusted(authority, start, site, tmp_path, monkeypatch):
    his, other = start(server_context(authority.issue())), Authority(tmp_path, "City CA")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    answer = site(his, ca_file=other.file.name)()
    assert told(answer) == (NOT_SENT, "TLS")
    assert answer.detail == "The partner's certificate: unable to get local issuer certificate."
    assert his.received == []


def test_a_certificate_out_of_date_is_told_as_that(authority, start, site):
    answer = site(start(server_context(authority.issue(days=-1))), **CA)()
    assert told(answer) == (NOT_SENT, "TLS")
    assert answer.detail == "The partner's certificate: certificate has expired."


def test_a_certificate_for_another_name_is_refused_unless_the_site_says_otherwise(authority, start, site):
    his = start(server_context(authority.issue("his.hospital.example")))
    answer = site(his, **CA)()
    assert told(answer) == (NOT_SENT, "TLS")
    assert "Hostname mismatch" in answer.detail
    assert site(his, **CA, check_name=False)().is_yes


def test_without_a_check_of_the_name_the_authority_still_counts(authority, start, site, tmp_path):
    his = start(server_context(authority.issue()))
    answer = site(his, ca_file=Authority(tmp_path, "City CA").file.name, check_name=False)()
    assert told(answer) == (NOT_SENT, "TLS")


# --- how the gateway proves itself ------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("password", ["", "phrase"])
def test_a_partner_that_wants_a_certificate_is_shown_ours(authority, start, site, version, password):
    his = start(limited(server_context(authority.issue(), authority), version))
    authority.issue("gateway", password=password)
    assert site(his, **OURS, **({"key_password": password} if password else {}))().is_yes


def test_a_partner_that_misses_our_certificate_is_sent_nothing(authority, start, site):
    his = start(limited(server_context(authority.issue(), authority), ssl.TLSVersion.TLSv1_2))
    answer = site(his, **CA)()
    assert told(answer) == (NOT_SENT, "TLS")
    assert answer.detail == "TLS: sslv3 alert handshake failure."


def test_a_partner_that_does_not_trust_our_certificate_is_sent_nothing(authority, start, site, tmp_path):
    his = start(limited(server_context(authority.issue(), authority), ssl.TLSVersion.TLSv1_2))
    Authority(tmp_path, "City CA").issue("gateway")
    answer = site(his, **OURS)()
    assert told(answer) == (NOT_SENT, "TLS")
    assert "unknown ca" in answer.detail


def test_what_a_partner_says_of_our_certificate_after_the_request_has_left_means_that_it_read_nothing():
    refused = ssl.SSLError(1, "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required")
    refused.reason = "TLSV13_ALERT_CERTIFICATE_REQUIRED"
    other = ssl.SSLError(1, "[SSL: TLSV1_ALERT_INTERNAL_ERROR]")
    other.reason = "TLSV1_ALERT_INTERNAL_ERROR"
    answers = [told_as_answer(problem, Exchange(float("inf"), 3, "TLS", has_left=True)) for problem in (refused, other)]
    assert [told(answer) for answer in answers] == [(NOT_SENT, "TLS"), (Outcome.UNKNOWN, "CUT-OFF")]


def test_a_certificate_goes_with_those_that_lead_to_its_authority(authority, start, site, tmp_path):
    his = start(limited(server_context(authority.issue(), authority), ssl.TLSVersion.TLSv1_2))
    between = Authority(tmp_path, "Department CA", under=authority)
    issued = between.issue("gateway")
    assert told(site(his, **OURS)()) == (NOT_SENT, "TLS")
    issued.certificate.write_bytes(issued.certificate.read_bytes() + between.file.read_bytes())
    assert site(his, **OURS)().is_yes


def test_an_authority_under_another_is_enough_to_trust(authority, start, site, tmp_path):
    between = Authority(tmp_path, "Department CA", under=authority)
    assert site(start(server_context(between.issue())), ca_file="department-ca.pem")().is_yes


# --- files ------------------------------------------------------------------------------------------------------------


def test_a_file_that_cannot_be_used_is_named_and_nothing_is_sent(authority, start, site, tmp_path):
    his = start(server_context(authority.issue()))
    call = site(his, **OURS)
    answer = call()
    assert told(answer) == (NOT_SENT, "FILES")
    assert answer.detail == f"{tmp_path}/gateway.pem: it cannot be read: No such file or directory."
    authority.issue("gateway")
    assert call().is_yes, "no restart is needed once the file is there"


def test_a_renewed_authority_and_a_renewed_certificate_are_used_without_a_restart(authority, start, site, tmp_path):
    old = authority.issue("gateway")
    clients = Authority(tmp_path, "New CA")
    his = start(limited(server_context(authority.issue(), clients), ssl.TLSVersion.TLSv1_2))
    call = site(his, **OURS)
    assert told(call()) == (NOT_SENT, "TLS")
    new = clients.issue("gateway", file="new")
    old.certificate.write_bytes(new.certificate.read_bytes())
    assert told(call()) == (NOT_SENT, "TLS"), "the old pair is still used: the new certificate has no key yet"
    old.key.write_bytes(new.key.read_bytes())
    assert call().is_yes


def test_a_renewed_key_with_another_password_is_used_without_a_restart(authority, start, site, tmp_path):
    clients, phrase = Authority(tmp_path, "New CA"), tmp_path / "phrase"
    his = start(limited(server_context(authority.issue(), clients), ssl.TLSVersion.TLSv1_2))
    authority.issue("gateway", password="old-phrase")
    phrase.write_text("old-phrase")
    call = site(his, **OURS, key_password=FileSecret(phrase))
    assert told(call()) == (NOT_SENT, "TLS")
    clients.issue("gateway", password="new-phrase")
    assert told(call()) == (NOT_SENT, "TLS"), "the old pair is still used: the password is not there yet"
    phrase.write_text("new-phrase")
    assert call().is_yes


# --- old partners -----------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
def test_an_old_tls_is_spoken_with_the_partner_it_is_allowed_for_and_with_no_other(authority, start, site):
    context = server_context(authority.issue())
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1
    his = start(context)
    assert told(site(his, **CA)()) == (NOT_SENT, "TLS")
    assert told(site(his, **CA, oldest="1.1")()) == (NOT_SENT, "TLS")
    assert site(his, **CA, oldest="1.0")().is_yes
    assert told(site(his, **CA)()) == (NOT_SENT, "TLS")


def test_a_partner_may_be_held_to_the_newest_tls(authority, start, site):
    his = start(limited(server_context(authority.issue()), ssl.TLSVersion.TLSv1_2))
    assert told(site(his, **CA, oldest="1.3")()) == (NOT_SENT, "TLS")


# --- what is told of it -----------------------------------------------------------------------------------------------


def test_what_makes_tls_weaker_is_told(tmp_path):
    def warned(url: str = "https://his/", **tls: Any) -> str:
        return " ".join(tls_warnings(Partner(name="HIS", url=url, folder=tmp_path, tls=tls)))

    assert warned() == ""
    assert "check_name is off" in warned(check_name=False)
    assert "oldest is 1.1" in warned(oldest="1.1")
    assert "[tls] has no effect" in warned("http://his/", **CA)
    Authority(tmp_path).issue("gateway").key.chmod(0o644)
    assert "gateway.key holds our key and can be read by every user" in warned(**OURS)


def test_until_when_everything_holds_is_known(authority, tmp_path):
    ours = authority.issue("gateway", days=20)
    partner = Partner(name="HIS", url="https://his/", folder=tmp_path, tls=OURS)
    assert [(term.path.name, term.what, term.ends) for term in tls_terms(partner)] == [
        ("gateway.pem", "our certificate", ours.made.not_valid_after_utc),
        ("hospital-ca.pem", "authority", authority.certificate.not_valid_after_utc),
    ]
