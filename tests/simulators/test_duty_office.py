"""The simulated duty office believes what the gateway has signed, and nothing else."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from gateway.critical_rules import WebhookNotifier
from gateway.notifiers.notice import NotTaken
from gateway.notifiers.webhook import Webhook
from gateway.partners.body_signature import signature
from gateway.simulators.process import SimulatorProcess, free_port
from tests.notifiers.conftest import NOTICE


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    folder = tmp_path_factory.mktemp("duty")
    (folder / "duty.secret").write_text("a-secret\n")
    process = SimulatorProcess("duty", free_port(), folder)
    process.start()
    yield process
    process.stop()


def channel(office: SimulatorProcess, secret: str | None) -> Webhook:
    given = None if secret is None else SecretStr(secret)
    return Webhook(WebhookNotifier(kind="webhook", name="duty", url=office.url, secret=given))  # type: ignore[arg-type]


def test_a_signed_notice_is_kept_once(office: SimulatorProcess) -> None:
    channel(office, "a-secret").send(NOTICE)
    channel(office, "a-secret").send(NOTICE)
    assert [one["notice"] for one in office.state()["notices"]] == ["GW-N7"]
    assert len(office.requests("Notice", critical_id="WJZ1", overdue_stage="RECEIVE", result_code="0")) == 2


@pytest.mark.parametrize("secret", [None, "another"])
def test_what_is_signed_by_nobody_or_somebody_else_is_refused(office: SimulatorProcess, secret: str | None) -> None:
    with pytest.raises(NotTaken, match="HTTP-401"):
        channel(office, secret).send(NOTICE)


def test_an_old_signature_is_refused(office: SimulatorProcess) -> None:
    body = json.dumps(NOTICE.as_json()).encode()
    request = urllib.request.Request(office.url, body, signature("a-secret", body, int(time.time()) - 3600))
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=30)
    assert refused.value.code == 401
    refused.value.close()


def test_it_can_be_told_to_be_away(office: SimulatorProcess) -> None:
    office.disturb(status=503, operation="Notice")
    with pytest.raises(NotTaken, match="HTTP-503"):
        channel(office, "a-secret").send(NOTICE)
    channel(office, "a-secret").send(NOTICE)
