"""Who must renew a certificate hears of it in time, once for each stage."""

from datetime import timedelta

import pytest

from gateway.model.journal import Alert
from gateway.partner_config import Partner
from gateway.partners.expiry import CertificateWatch
from tests.partners.certificates import Authority

FILES = {"ca_file": "hospital-ca.pem", "certificate_file": "gateway.pem", "key_file": "gateway.key"}


@pytest.fixture
def look(site, tmp_path):
    """Look at the folder of HIS some days from now; what has been alarmed so far."""
    partner = Partner(name="HIS", url="https://his/", folder=tmp_path, tls=FILES)

    def run(days: float = 0, watch: CertificateWatch | None = None) -> list[str]:
        with site.sessions.begin() as session:
            (watch or CertificateWatch([partner]))(session, site.now() + timedelta(days=days))
        with site.sessions() as session:
            return [f"{alert.kind} {alert.subject}" for alert in session.query(Alert).order_by(Alert.id)]

    run.partner = partner
    return run


def settle(site):
    with site.sessions.begin() as session:
        for alert in session.query(Alert):
            alert.settled_at = site.now()


def test_a_certificate_alarms_thirty_days_and_a_week_before_its_end_and_when_it_has_ended(site, look, tmp_path):
    ends = Authority(tmp_path).issue("gateway", 100).made.not_valid_after_utc
    assert look() == look(69) == []
    first = f"CERTIFICATE_ENDS partner HIS: gateway.pem (our certificate gateway) ends on {ends:%Y-%m-%d}, within"
    assert look(71) == look(80) == [f"{first} 30 days"]
    settle(site)
    assert look(85) == [f"{first} 30 days"], "who has settled it is not told again"
    assert look(94) == [f"{first} 30 days", f"{first} 7 days"]
    assert look(101)[2:] == [f"{first.partition(' ends')[0]} has ended on {ends:%Y-%m-%d}"]


@pytest.mark.parametrize(
    ("own", "alerts"), [({}, 1), ({"certificate_file": "gateway.pem", "key_file": "gateway.key"}, 2)]
)
def test_a_certificate_that_also_signs_is_told_once_unless_it_stands_there_too(site, tmp_path, own, alerts):
    Authority(tmp_path).issue("gateway", 20)
    auth = {"kind": "x509"} | own
    partner = Partner(name="HIS", url="https://his/", folder=tmp_path, tls=FILES, auth=auth)
    with site.sessions.begin() as session:
        CertificateWatch([partner])(session, site.now())
        assert session.query(Alert).count() == alerts


def test_an_authority_alarms_too_and_a_renewed_one_does_not(look, tmp_path):
    Authority(tmp_path, days=10).issue("gateway")
    assert "hospital-ca.pem (authority Hospital CA) ends on" in look()[0]
    Authority(tmp_path).issue("gateway")
    assert len(look()) == 1


def test_a_file_that_cannot_be_used_alarms_and_again_every_day_until_it_is_mended(site, look, tmp_path):
    assert look() == look() == [f"PARTNER_FILES partner HIS: {tmp_path}/gateway.pem: it cannot be read: {NO_FILE}."]
    settle(site)
    assert len(look(0.5)) == 1
    assert len(look(1.1)) == 2


NO_FILE = "No such file or directory"


def test_the_files_are_looked_at_once_an_hour(look, tmp_path):
    watch = CertificateWatch([look.partner])
    Authority(tmp_path).issue("gateway")
    assert look(watch=watch) == []
    (tmp_path / "gateway.key").unlink()
    assert look(watch=watch) == []
    watch._next_look = 0
    assert len(look(watch=watch)) == 1
