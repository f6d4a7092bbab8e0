"""`gateway accept`: a partner that does all is passed, one that says yes to everything is found out."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from at_the_terminal import Command

from gateway.acceptance import cases, running
from gateway.acceptance.cases import Case
from gateway.acceptance.kit import Kit
from gateway.simulators.process import SimulatorProcess, free_port
from gateway.simulators.vendors.typed import EXAMPLES
from tests.partners.fake_partner import FakePartner


@pytest.fixture
def his(tmp_path: Path) -> Iterator[SimulatorProcess]:
    simulator = SimulatorProcess("his", free_port(), tmp_path / "simulator")
    simulator.start()
    yield simulator
    simulator.stop()


@pytest.fixture
def yes_man() -> Iterator[FakePartner]:
    """Answers yes to whatever comes."""
    fake = FakePartner()
    yield fake
    fake.close()


def connect(site: Path, url: str, *operations: str) -> None:
    (site / "partners" / "HIS").mkdir(parents=True, exist_ok=True)
    (site / "partners" / "HIS" / "partner.toml").write_text(f'url = "{url}"\n')
    routes = "".join(f'[[routes]]\noperation = "{one}"\npartners = ["HIS"]\n' for one in operations)
    (site / "gateway.toml").write_text(f'hospital_code = "H1"\n{routes}')


def test_a_his_that_does_all_is_passed_with_a_report_to_sign(
    gateway: Command, empty_site: Path, his: SimulatorProcess, tmp_path: Path
):
    connect(empty_site, his.url, "ReportStatus", "ChargeItem", "PushCriticalValue", "SubmitReport")
    page = tmp_path / "report.html"
    said = gateway("accept", "HIS", "--yes", "--report", page)
    assert said.code == 0, said
    assert "failed" not in said.out
    assert "cases were not tried: HIS is not sent" in said.out
    written = page.read_text(encoding="utf-8")
    assert page.stat().st_mode & 0o077 == 0
    for wanted in ("接口验收报告", "签字 Signature", "CHG-2", "RFD-3", said.out.rpartition("digest ")[2].strip()):
        assert wanted in written
    booked = [one["charge_no"] for one in his.state()["charges"]]
    assert len(set(booked)) == len(booked) >= 5, "what was sent twice is booked once"


def test_a_partner_that_says_yes_to_everything_is_not_passed(
    gateway: Command, empty_site: Path, yes_man: FakePartner, tmp_path: Path
):
    connect(empty_site, yes_man.url, "SubmitRequisition", "ChargeItem")
    said = gateway("accept", "HIS", "--yes", "--report", tmp_path / "report.html", "--case", "req", "--case", "RFD-2")
    assert said.code == 1
    failed = {line.split()[0] for line in said.out.splitlines() if "failed" in line}
    assert failed == {"REQ-4", "RFD-2"}
    assert "should have been refused and was accepted" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_refusal_of_our_own_stylesheet_is_none_of_the_partners(
    gateway: Command, empty_site: Path, yes_man: FakePartner, tmp_path: Path
):
    gateway("partner", "add", "ECG", "--example", "ecg")
    place = empty_site / "partners" / "ECG"
    settings = place / "partner.toml"
    settings.write_text(re.sub(r"http://127[^\"]*", yes_man.url, settings.read_text("utf-8")), "utf-8")
    sheet = place / "SubmitRequisition.request.xsl"
    always = sheet.read_text("utf-8").replace("Action != 'CANCEL' and count(Items/Item) &gt; 1", "true()")
    sheet.write_text(always, "utf-8")
    said = gateway("accept", "ECG", "--yes", "--case", "REQ-4", "--report", tmp_path / "report.html")
    assert said.code == 1
    assert "it was not even sent: SubmitRequisition.request.xsl: The ECG system takes" in said.out
    assert yes_man.sent("SubmitRequisition") == []


def test_a_partner_that_books_twice_or_answers_nothing_is_not_passed(
    gateway: Command, empty_site: Path, his: SimulatorProcess, tmp_path: Path
):
    connect(empty_site, his.url, "ChargeItem")
    his.disturb(garbage=1)
    said = gateway("accept", "HIS", "--yes", "--report", tmp_path / "report.html", "--case", "CHG-1")
    assert said.code == 1
    assert "UNKNOWN NOT-XML" in said.out


def test_a_case_that_fails_by_itself_costs_no_other_its_report(
    gateway: Command, empty_site: Path, yes_man: FakePartner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def broken(kit: Kit) -> None:
        raise KeyError("P77")

    connect(empty_site, yes_man.url, "ChargeItem")
    monkeypatch.setattr(running, "CASES", [Case("BAD-1", "坏", "bad", ("ChargeItem",), broken), *cases.CASES])
    said = gateway("accept", "HIS", "--yes", "--report", tmp_path / "r.html", "--case", "BAD", "--case", "CHG-1")
    assert said.code == 1
    written = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "the gateway itself has failed: KeyError" in written
    assert "P77" not in written
    assert "CHG-1" in written


def test_what_the_test_system_knows_is_used(gateway: Command, empty_site: Path, yes_man: FakePartner, tmp_path: Path):
    connect(empty_site, yes_man.url, "ChargeItem")
    words = ("--case", "CHG-1", "--given", "PatientId=P77", "--given", "VisitNo=ZY77", "--given", "RequisitionNo=SQ77")
    assert gateway("accept", "HIS", "--yes", "--report", tmp_path / "report.html", *words).code == 0
    (sent,) = yes_man.sent("ChargeItem")
    request = sent.request
    assert (request.patient.patient_id, request.visit.visit_no, request.requisition_no) == ("P77", "ZY77", "SQ77")


# The ECG system takes one item only, the insurer only some visits, and HIS says yes to a query that finds nothing.
@pytest.mark.parametrize("kind", ["pacs", "ecg", "commercial-insurer", "his", "message-platform"])
def test_a_vendor_with_a_contract_of_its_own_is_accepted_by_its_own_folder(
    gateway: Command, empty_site: Path, tmp_path: Path, kind: str
):
    simulator = SimulatorProcess(kind, free_port(), tmp_path / "simulator", vendor=True)
    simulator.start()
    try:
        place = empty_site / "partners" / kind
        shutil.copytree(EXAMPLES / kind, place)
        settings = place / "partner.toml"
        settings.write_text(
            re.sub(r"127\.0\.0\.1:\d+", f"127.0.0.1:{simulator.port}", settings.read_text("utf-8")), "utf-8"
        )
        said = gateway("accept", kind, "--yes", "--report", tmp_path / "report.html")
        assert said.code == 0, said
        assert "failed" not in said.out
        kept_back = "its stylesheet keeps it back: The insurer is told of settlements and discharges only." in said.out
        assert kept_back == (kind == "commercial-insurer")
    finally:
        simulator.stop()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("HIS", "--yes", "--case", "XYZ"), "There is no case XYZ."),
        (("HIS", "--yes", "--given", "PatientId"), "must be written as Name=value"),
        (("HIS", "--yes", "--given", "PatientNumber=P1"), "--given PatientNumber=P1: no message HIS is sent"),
        (("PACS", "--yes"), "There is no partner PACS"),
    ],
)
def test_a_wrong_word_is_named_and_nothing_is_sent(
    gateway: Command, empty_site: Path, yes_man: FakePartner, words: tuple[str, ...], told: str
):
    connect(empty_site, yes_man.url, "ChargeItem")
    said = gateway("accept", *words)
    assert said.code == 2
    assert told in said.err
    assert yes_man.sent() == []


def test_nothing_is_sent_without_a_yes_and_nothing_where_nothing_is_routed(
    gateway: Command, empty_site: Path, yes_man: FakePartner
):
    connect(empty_site, yes_man.url)
    assert "Nothing is routed to HIS" in gateway("accept", "HIS", "--yes").err
    connect(empty_site, yes_man.url, "ChargeItem")
    assert "add --yes" in gateway("accept", "HIS").err
    assert yes_man.sent() == []
