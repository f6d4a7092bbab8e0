"""A partner that can be told to misbehave, and the gateway's way to it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.operations.dispatch import Origin, PartnerAnswer
from gateway.partners.addressing import Stamp
from gateway.partners.registry import Partners
from tests.partners.fake_partner import CONTRACT, WIRE, FakePartner, sample

ORIGIN = Origin("T1", "44643245-7", "01", "PACS", "PACS-1")


@pytest.fixture
def partner() -> Iterator[FakePartner]:
    fake = FakePartner()
    yield fake
    fake.close()
    assert fake.broken == []


@pytest.fixture
def call(partner: FakePartner) -> Callable[..., PartnerAnswer]:
    """Send a sample message to the partner; `settings` are keys of its partner.toml."""

    def send(operation: str = "ChargeItem", seconds: float = 30, message_id: str = "GW-1", **settings: Any):
        partners = Partners([partner.partner(**settings)], CONTRACT, WIRE, lambda: datetime.now(UTC))
        return partners.call("HIS", operation, sample(operation), Stamp(message_id, ORIGIN), seconds)

    return send
