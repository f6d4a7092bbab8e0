"""What the monitoring finds in the database about deliveries."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, select

from gateway.codes.picture import Asked
from gateway.codes.unmapped import remember
from gateway.delivery import holds
from gateway.figures import DatabaseFigures
from gateway.mapping.codes import UnmappedPolicy
from gateway.model.code_table import UnmappedCode, WaitingForCode
from gateway.model.journal import Alert
from gateway.model.partner_hold import HoldMode
from gateway.model.poll import RowState
from gateway.monitoring import LOOK_SECONDS, Figure, Metrics
from gateway.polling.bookmarks import Bookmarks, Decided
from tests.delivery.site import FAST

ROOT = Path(__file__).resolve().parent.parent.parent
NAME = re.compile(r"gateway_[a-z_]+")
POLLS = [("LIS", "results"), ("ECG", "curves")]


@pytest.fixture
def found(site):
    """What is found now, by figure and labels."""

    def look() -> dict[tuple[str, ...], float]:
        figures = DatabaseFigures(site.sessions.kw["bind"], ["HIS", "PACS"], site.now, polls=POLLS)()
        return {(figure.name, *labels): value for figure in figures for labels, value in figure.values.items()}

    return look


def test_what_waits_is_told_by_partner_and_kind_with_its_age(site, found):
    first = site.put(site.forward(key="R1"), site.forward("ChargeItem", "V1"))[0]
    site.put(site.forward("PushCriticalValue", "K1", urgent=True))
    site.run_sql("UPDATE delivery SET created_at = created_at - interval '60 s' WHERE id = :id", id=first)
    now = found()
    counts = [now["gateway_delivery_backlog", "HIS", kind] for kind in ("critical", "money", "other", "dead", "behind")]
    assert counts == [1, 1, 1, 0, 0]
    assert 60 <= now["gateway_delivery_oldest_seconds", "HIS"] < 90
    assert now["gateway_delivery_backlog", "PACS", "other"] == now["gateway_delivery_oldest_seconds", "PACS"] == 0


def test_a_dead_letter_and_what_it_holds_back_are_told_apart_and_do_not_grow_old(site, found):
    dead, _ = site.put(site.forward(number=1), site.forward(number=2))
    site.change(dead, state="DEAD")
    now = found()
    assert (now["gateway_delivery_backlog", "HIS", "dead"], now["gateway_delivery_backlog", "HIS", "behind"]) == (1, 1)
    assert now["gateway_delivery_oldest_seconds", "HIS"] == 0


def test_money_without_an_outcome_is_told_with_its_age(site, found):
    money, status = site.put(site.forward("ChargeItem", "V1"), site.forward())
    for one in (money, status):
        site.change(one, state="UNKNOWN", started_at=site.now() - timedelta(minutes=5))
    now = found()
    assert now["gateway_money_unknown", "HIS"] == 1
    assert 300 <= now["gateway_money_unknown_oldest_seconds", "HIS"] < 330


def test_who_serves_a_partner_and_whether_it_answers_is_told(site, his, found):
    assert found()["gateway_partner_served", "HIS"] == 0
    his.behave = lambda request: "http:503"
    with site.working():
        site.wait(lambda: found()["gateway_partner_served", "HIS"] == 1)
        site.put(*[site.forward(key=f"R{key}") for key in range(FAST.failures)])
        site.wait(lambda: found()["gateway_partner_left_alone", "HIS"] == 1)
        his.behave = lambda request: "ok"
        site.wait_until_all_is_finished()
        site.wait(lambda: found()["gateway_partner_left_alone", "HIS"] == 0)


def test_a_downtime_is_told(site, found):
    with site.sessions.begin() as session:
        holds.declare(session, "HIS", HoldMode.HOLD, reason="update", by="Li", now=site.now())
    assert (found()["gateway_partner_held", "HIS"], found()["gateway_partner_held", "PACS"]) == (1, 0)


def test_open_alerts_are_told_by_kind_and_settled_ones_are_not(site, found):
    with site.sessions.begin() as session:
        for settled in (None, None, site.now()):
            session.add(Alert(raised_at=site.now(), kind="DELIVERY_DEAD", subject="GW-1", settled_at=settled))
    assert found()["gateway_alerts_open", "DELIVERY_DEAD"] == 2


def test_a_poll_is_told_with_what_is_parked_and_since_when_it_fails(site, found):
    bookmarks = Bookmarks(site.sessions, "LIS", "results", site.now, "test:1")
    bookmarks.start(None)
    for key, state in enumerate((RowState.TAKEN, RowState.PARKED, RowState.PARKED, RowState.WAITING)):
        bookmarks.decide(Decided(str(key), "", (str(key),), True, state, 1, 0, "", "", None, None, True))
    bookmarks.failed("AWAY", "")
    site.run_sql("UPDATE poll_bookmark SET failing_since = failing_since - interval '90 s'")
    site.run_sql("UPDATE poll_bookmark SET looked_at = failing_since - interval '30 s'")
    now = found()
    counts = [now["gateway_poll_backlog", "LIS", "results", kind] for kind in ("parked", "waiting")]
    assert counts == [2, 1]
    assert 90 <= now["gateway_poll_failing_seconds", "LIS", "results"] < 119
    assert 120 <= now["gateway_poll_looked_seconds", "LIS", "results"] < 149
    assert now["gateway_poll_failing_seconds", "ECG", "curves"] == 0
    assert ("gateway_poll_looked_seconds", "ECG", "curves") not in now, "it was never tried"


def test_codes_without_a_row_are_told_with_the_age_of_what_waits_for_them(site, found):
    now = site.now()
    with site.sessions.begin() as session:
        for value, policy in (("0577", UnmappedPolicy.PARK), ("0578", UnmappedPolicy.PARK), ("9", UnmappedPolicy.PASS)):
            remember(session, Asked("department", value, "PACS", "H1", True), policy, 1, now)
        number = session.scalars(select(UnmappedCode.id).where(UnmappedCode.value == "0577")).one()
        session.add(WaitingForCode(delivery_id=1, unmapped_id=number, since=now - timedelta(minutes=2)))
    figures = found()
    assert figures["gateway_codes_without_row", "PACS", "park"] == 2
    assert figures["gateway_codes_without_row", "PACS", "pass"] == 1
    assert 120 <= figures["gateway_codes_waiting_seconds", "PACS"] < 150


def test_when_the_database_is_away_that_is_what_is_told(site):
    away = create_engine("postgresql+psycopg://nobody@127.0.0.1:1/none", connect_args={"connect_timeout": 1})
    assert DatabaseFigures(away, ["HIS"], site.now)() == [
        Figure("gateway_database_up", "1 when the database answers in time", (), {(): 0.0})
    ]


# --- At /metrics ------------------------------------------------------------------------------------------------------


def test_however_many_ask_the_database_is_asked_once_in_a_few_seconds():
    asked = []
    metrics = Metrics(find=lambda: asked.append(1) or [Figure("gateway_database_up", "up", (), {(): 1.0})])
    pages = {metrics.render() for _ in range(20)}
    assert len(asked) == 1
    assert LOOK_SECONDS >= 1
    assert len(pages) == 1
    assert b"gateway_database_up 1.0" in pages.pop()


@pytest.mark.parametrize(
    ("behaviour", "outcome"),
    [
        ("ok", "yes"),
        ("refuse:STA-410", "no"),
        ("http:503", "not_sent"),
        ("close", "unknown"),
        ("fault:Client", "fault"),
    ],
)
def test_every_attempt_is_counted_with_its_outcome_and_its_seconds(site, his, behaviour, outcome):
    metrics = Metrics()
    site.sender.attempted = metrics.attempted
    his.script.append(behaviour)
    site.sender.attempt(site.put(site.forward())[0])
    page = metrics.render().decode()
    assert f'gateway_deliveries_total{{operation="ReportStatus",outcome="{outcome}",partner="HIS"}} 1.0' in page
    assert 'gateway_delivery_seconds_count{partner="HIS"} 1.0' in page


def test_what_a_caller_waited_for_is_counted_too(site):
    metrics = Metrics()
    site.sender.attempted = metrics.attempted
    assert site.ask(site.forward("ChargeItem", "V1")).is_yes
    assert (
        'gateway_deliveries_total{operation="ChargeItem",outcome="yes",partner="HIS"} 1.0' in metrics.render().decode()
    )


def test_every_figure_is_documented_and_every_alarm_is_about_one(site):
    metrics = Metrics(find=DatabaseFigures(site.sessions.kw["bind"], ["HIS"], site.now))
    page = metrics.render().decode()
    made = set(re.findall(r"# TYPE (gateway_[a-z_]+) ", page)) - {"gateway_deliveries_created"}
    made = {name for name in made if not name.endswith("_created")}
    documented = set(re.findall(r"^\| `(gateway_[a-z_]+)`", (ROOT / "docs/monitoring.md").read_text(), re.MULTILINE))
    assert documented == made
    rules = (ROOT / "deploy/prometheus-rules.yaml").read_text(encoding="utf-8")
    used = {name.removesuffix("_bucket") for name in NAME.findall(rules)}
    assert used <= documented
    assert "\t" not in rules
