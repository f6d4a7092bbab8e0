"""The queue's tables, emptied before each test, and partners to deliver to."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, text

from gateway.delivery import policy, schema
from tests.delivery.site import Site
from tests.partners.fake_partner import FakePartner


@pytest.fixture(scope="session")
def _queue(engine: Engine) -> None:
    with engine.begin() as connection:
        if connection.execute(text("SELECT to_regclass('procrastinate_jobs')")).scalar() is None:
            schema.create(connection)


@pytest.fixture(autouse=True)
def _empty(engine: Engine, _queue: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """No delivery is left of the test before, and none waits long."""
    with engine.begin() as connection:
        for table in (
            "alert",
            "waiting_for_code",
            "unmapped_code",
            "partner_hold",
            "delivery_attempt",
            "delivery",
            "procrastinate_jobs",
            "procrastinate_workers",
        ):
            connection.execute(text(f"DELETE FROM {table}"))
    monkeypatch.setattr(policy, "WAITS", (0.1, 0.2, 0.3))
    monkeypatch.setattr(policy, "SHORTEST_QUERY_WAIT", 0.1)


@pytest.fixture
def his() -> Iterator[FakePartner]:
    fake = FakePartner()
    yield fake
    fake.close()
    assert fake.broken == []


@pytest.fixture
def pacs() -> Iterator[FakePartner]:
    fake = FakePartner()
    yield fake
    fake.close()
    assert fake.broken == []


@pytest.fixture
def make_site(engine: Engine, database_url: str) -> Callable[..., Site]:
    def make(*partners: Any, **settings: Any) -> Site:
        return Site(engine, database_url, *partners, **settings)

    return make


@pytest.fixture
def site(make_site: Callable[..., Site], his: FakePartner) -> Site:
    """A site with one partner, HIS."""
    return make_site(his.partner("HIS", total_seconds=2))
