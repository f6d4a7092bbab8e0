"""Deliveries to the simulated insurance platform, through the real queue: in order, and nothing twice."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.delivery.redrive import RedriveRefused, discard, retry
from gateway.operations.dispatch import Forward, Origin
from gateway.operations.insurance import SETTLE, UNSETTLE, UPLOAD, WITHDRAW
from gateway.partner_config import Partner
from gateway.simulators.process import SimulatorProcess, free_port
from tests.delivery.site import HOSPITAL, Site
from tests.partners.fake_partner import sample

INSURANCE = {"fixmedins_code": "H44010000001", "mdtrtarea_admvs": "440100", "registers": True, "echoes_msgid": True}


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[SimulatorProcess]:
    simulator = SimulatorProcess("insurance", free_port(), tmp_path)
    simulator.start()
    yield simulator
    simulator.stop()


@pytest.fixture
def insured(make_site: Callable[..., Site], platform: SimulatorProcess) -> Site:
    partner = Partner(name="YB", url=platform.url, dialect="insurance", insurance=INSURANCE, total_seconds=3)
    return make_site(partner)


def forward(operation: str, number: str = "C1", person: str = "YB1") -> Forward:
    """A delivery about the charge of visit V1; its line costs 126.80."""
    request = sample("ChargeItem")
    visit = replace(request.visit, visit_no="V1", insurance_no=person)
    bill = replace(request, charge_no=number, visit=visit, lines=request.lines[:1])
    return Forward("YB", operation, bill, "V1", Origin("T1", HOSPITAL, "01", "PACS", f"PACS-{number}"))


def functions(platform: SimulatorProcess) -> list[str]:
    return [line["operation"] for line in platform.requests()]


def test_all_of_a_visit_arrives_in_its_order(insured: Site, platform: SimulatorProcess) -> None:
    insured.put(forward(UPLOAD), forward(SETTLE, "S1"), forward(UNSETTLE, "JS000001"), forward(WITHDRAW))
    with insured.working():
        insured.wait_until_all_is_finished()
    assert functions(platform) == ["2401", "2301", "2303", "2304", "2305", "2302"]
    state = platform.state()
    assert [d["state"] for d in state["details"]] == ["WITHDRAWN"]
    assert [s["state"] for s in state["settlements"]] == ["REVERSED"]


@pytest.mark.parametrize("times", [1, 2])
def test_an_upload_whose_answer_is_lost_is_undone_and_uploaded_once(
    insured: Site, platform: SimulatorProcess, times: int
) -> None:
    platform.disturb(drop_after_commit=times, operation="2301")
    (upload,) = insured.put(forward(UPLOAD))
    with insured.working():
        insured.wait_for(upload, "DELIVERED")
    assert functions(platform) == ["2401", "2301", *["2601", "2301"] * times]
    assert {line["message_id"] for line in platform.requests("2301")} == {platform.requests("2301")[0]["message_id"]}
    assert [d["state"] for d in platform.state()["details"]] == ["UPLOADED"]


def test_an_upload_that_was_lost_on_its_way_is_uploaded_once(insured: Site, platform: SimulatorProcess) -> None:
    platform.disturb(drop_before_commit=1, operation="2301")
    (upload,) = insured.put(forward(UPLOAD))
    with insured.working():
        insured.wait_for(upload, "DELIVERED")
    assert functions(platform) == ["2401", "2301", "2601", "2301"]
    assert [d["state"] for d in platform.state()["details"]] == ["UPLOADED"]


@pytest.mark.parametrize("operation", [SETTLE, UNSETTLE, WITHDRAW])
def test_nothing_else_happens_twice_either_when_its_answer_is_lost(
    insured: Site, platform: SimulatorProcess, operation: str
) -> None:
    settled = [forward(SETTLE, "S1")] if operation == UNSETTLE else []
    number = {SETTLE: "S1", UNSETTLE: "JS000001", WITHDRAW: "C1"}[operation]
    function = {SETTLE: "2304", UNSETTLE: "2305", WITHDRAW: "2302"}[operation]
    platform.disturb(drop_after_commit=1, operation=function)
    insured.put(forward(UPLOAD), *settled, forward(operation, number))
    with insured.working():
        insured.wait_until_all_is_finished()
    assert functions(platform)[-1] == function
    assert functions(platform).count("2601") == 1
    state = platform.state()
    settlements = [s["state"] for s in state.get("settlements", []) if s["state"] != "UNDONE"]
    assert settlements == {SETTLE: ["SETTLED"], UNSETTLE: ["REVERSED"], WITHDRAW: []}[operation]
    assert [d["state"] for d in state["details"]] == ["WITHDRAWN" if operation == WITHDRAW else "UPLOADED"]


def test_a_refused_upload_holds_up_nobody(insured: Site, platform: SimulatorProcess) -> None:
    refused, other = insured.put(forward(UPLOAD, person="X1"), replace(forward(UPLOAD, "C2"), key="V2"))
    with insured.working():
        insured.wait_until_all_is_finished()
    assert (insured.state(refused), insured.state(other)) == ("REFUSED", "DELIVERED")


def test_a_refused_message_can_be_sent_again_once_the_reason_is_mended(
    insured: Site, platform: SimulatorProcess
) -> None:
    platform.disturb(refuse="-1", operation="2301")
    (upload,) = insured.put(forward(UPLOAD))
    with insured.working():
        insured.wait_for(upload, "REFUSED")
        with insured.sessions.begin() as session:
            retry(session, insured.jobs, upload, insured.now())
        insured.wait_for(upload, "DELIVERED")
    assert [d["state"] for d in platform.state()["details"]] == ["UPLOADED"]


def test_what_a_platform_refused_is_not_discarded_once_more(insured: Site, platform: SimulatorProcess) -> None:
    (refused,) = insured.put(forward(UPLOAD, person="X1"))
    with insured.working():
        insured.wait_for(refused, "REFUSED")
    with insured.sessions.begin() as session, pytest.raises(RedriveRefused):
        discard(session, insured.jobs, refused, "no", insured.now())


def test_a_slow_platform_is_waited_for(insured: Site, platform: SimulatorProcess) -> None:
    platform.disturb(slow_seconds=0.5, operation="2301")
    (upload,) = insured.put(forward(UPLOAD))
    with insured.working():
        insured.wait_for(upload, "DELIVERED")
    assert insured.codes(upload) == ["0"]
