"""HIS has lost a charge: it is replayed, and stands once in the books of HIS and once in the ledger."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from building import charge, refund
from emptying import clear
from gateway.config import Route
from gateway.delivery import replay
from gateway.delivery.selection import Selection
from gateway.model.delivery import Delivery
from gateway.model.journal import Alert
from gateway.model.money import LedgerEntry, MoneyState
from gateway.operations.table import HOOKS
from gateway.partner_config import Partner
from gateway.simulators.process import SimulatorProcess, free_port
from hospital import Hospital
from tests.delivery.site import Site


@pytest.fixture
def his(tmp_path: Path) -> Iterator[SimulatorProcess]:
    simulator = SimulatorProcess("his", free_port(), tmp_path)
    simulator.start()
    yield simulator
    simulator.stop()


@pytest.fixture
def site(engine: Engine, make_site: Callable[..., Site], his: SimulatorProcess) -> Site:
    clear(engine)
    routes = tuple(Route(operation=operation, partners=("his",)) for operation in ("ChargeItem", "RefundItem"))
    site = make_site(Partner(name="his", url=his.url, total_seconds=5), routes=routes)
    site.sender._hooks = HOOKS  # the operations' own
    return site


@pytest.fixture
def hospital(engine: Engine, site: Site) -> Hospital:
    hospital = Hospital(engine)
    hospital.dispatch = site.dispatch  # type: ignore[assignment]
    hospital.choose()
    return hospital


def replay_all(site: Site) -> list[int]:
    """Propose everything HIS has got, approve it, and see it through; the new deliveries."""
    partners = {partner.name: partner for partner in site.settings.partners}
    with site.sessions.begin() as session:
        found = replay.plan(session, Selection(partner="his"), partners, 100, with_superseded=False)
        batch = replay.propose(
            session, found, by="terminal:ann", reason="x", selection="x", with_superseded=False, per_second=10,
            now=site.now(),
        )  # fmt: skip
    with site.sessions.begin() as session:
        replay.approve(session, batch.id, by="terminal:bea", now=site.now())
        replay.hand_over(session, batch.id, 100, site.now())
    with site.working():
        site.wait_until_all_is_finished()
    with site.sessions() as session:
        return list(session.scalars(select(Delivery.id).where(Delivery.replay_batch == batch.id).order_by(Delivery.id)))


def books(site: Site) -> tuple[list[str], list[str]]:
    """All that the ledger says: entries, and the states of transactions."""
    with site.sessions() as session:
        entries, states = (
            session.execute(select(*model.__table__.columns)).all() for model in (LedgerEntry, MoneyState)
        )
    return sorted(map(str, entries)), sorted(map(str, states))


def alerts(site: Site) -> list[str]:
    with site.sessions() as session:
        return list(session.scalars(select(Alert.kind)))


def test_a_charge_his_has_lost_is_booked_once_there_and_once_here(
    site: Site, hospital: Hospital, his: SimulatorProcess
) -> None:
    request = charge()
    assert hospital.send(request).result.result_code == "0"
    before = books(site)
    his.books("lose", request.charge_no)
    assert his.state()["charges"] == []
    (again,) = replay_all(site)
    assert [booked["charge_no"] for booked in his.state()["charges"]] == [request.charge_no]
    assert (site.state(again), books(site)) == ("DELIVERED", before)


def test_what_his_still_has_is_not_even_sent(site: Site, hospital: Hospital, his: SimulatorProcess) -> None:
    hospital.send(charge())
    before, booked = books(site), his.state()["charges"]
    (again,) = replay_all(site)
    assert (len(his.requests("ChargeItem")), len(his.requests("QueryTransaction"))) == (1, 1)
    assert (his.state()["charges"], books(site), alerts(site)) == (booked, before, [])
    assert site.row(again).attempts == 0


def test_a_charge_and_its_refund_come_back_in_their_order(
    site: Site, hospital: Hospital, his: SimulatorProcess
) -> None:
    request = charge()
    hospital.send(request)
    back = refund()
    assert hospital.send(back).result.result_code == "0"
    before = books(site)
    his.books("lose", request.charge_no)
    his.books("lose", back.refund_no)
    assert len(replay_all(site)) == 2
    state = his.state()
    assert ([c["charge_no"] for c in state["charges"]], [r["refund_no"] for r in state["refunds"]]) == (
        [request.charge_no],
        [back.refund_no],
    )
    assert books(site) == before


def test_a_new_number_at_his_changes_no_ledger_and_is_told(
    site: Site, hospital: Hospital, his: SimulatorProcess
) -> None:
    request = charge()
    hospital.send(request)
    before = books(site)
    his.books("invent", "OTHER", "1.00")
    his.books("lose", request.charge_no)
    replay_all(site)
    assert (books(site), alerts(site)) == (before, ["REPLAY_DIFFERS"])
