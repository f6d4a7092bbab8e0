"""The process that reads polls: one of several reads each, the next takes over, and what is wrong is told once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import make_url

from building import HOSPITAL, ZONE
from gateway.facades.intake import Intake
from gateway.mapping.codes import NoCodeTables
from gateway.model.journal import Alert
from gateway.model.poll import PollBookmark
from gateway.monitoring import Metrics
from gateway.polling.leases import PollLease
from gateway.polling.worker import Surroundings, run_polls
from hospital import CONTRACT, WIRE, Hospital
from tests.partners.database.conftest import Middle
from tests.partners.database.poller import Reader, lab, put

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")


def until(condition: Callable[[], Any], seconds: float = 100) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


class Process:
    """A polling process, in threads of this one."""

    def __init__(self, reader: Reader, url: str, name: str) -> None:
        self.stopping, self.held, self.metrics = threading.Event(), False, Metrics()
        intake = Intake(
            contract=CONTRACT,
            wire=WIRE,
            reception=reader,
            clients=reader,
            keep_unreadable_push=lambda **_: None,
            require_room=lambda operation: None,
        )
        around = Surroundings(
            sessions=reader.hospital.sessions,
            database_url=url,
            intake=intake,
            hospital_code=HOSPITAL,
            zone=ZONE,
            now=lambda: datetime.now(ZONE),
            codes=NoCodeTables(),
            is_held=lambda partner: self.held,
            process=name,
            counted=self.metrics.polled,
            failed=self.metrics.poll_failed,
        )
        partner = reader.middle.partner(name="LIS", polls=(reader.poll,))
        self.thread = threading.Thread(target=run_polls, args=([partner], around, self.stopping))
        self.thread.start()

    def end(self) -> None:
        self.stopping.set()
        self.thread.join()


@pytest.fixture
def processes() -> Iterator[list[Process]]:
    found: list[Process] = []
    yield found
    for process in found:
        process.end()


def url_of(hospital: Hospital) -> str:
    engine = hospital.sessions.kw["bind"]
    return make_url(engine.url).render_as_string(hide_password=False)


def test_one_of_two_processes_reads_and_the_other_takes_over(
    postgresql_middle: Middle, hospital: Hospital, processes: list[Process]
):
    reader = lab(postgresql_middle, hospital, every_seconds=0.2)
    put(postgresql_middle, 1)
    first = Process(reader, url_of(hospital), "first")
    processes.append(first)
    until(lambda: reader.taken() == ["1"])
    processes.append(Process(reader, url_of(hospital), "second"))
    put(postgresql_middle, 2)
    until(lambda: reader.taken() == ["1", "2"])
    assert reader.bookmark().process == "first"
    first.end()
    put(postgresql_middle, 3)
    until(lambda: reader.taken() == ["1", "2", "3"])
    until(lambda: reader.bookmark().process == "second")
    assert reader.came == ["1", "2", "3"]


def test_a_held_partner_is_not_asked(postgresql_middle: Middle, hospital: Hospital, processes: list[Process]):
    reader = lab(postgresql_middle, hospital, every_seconds=0.2)
    process = Process(reader, url_of(hospital), "one")
    processes.append(process)
    until(lambda: hospital.rows(PollBookmark) and reader.bookmark().looked_at)
    process.held = True
    time.sleep(0.5)
    put(postgresql_middle, 1)
    time.sleep(1)
    assert reader.taken() == []
    process.held = False
    until(lambda: reader.taken() == ["1"])


def test_a_source_that_cannot_be_read_alarms_once_and_is_read_when_it_is_mended(
    postgresql_middle: Middle, hospital: Hospital, processes: list[Process]
):
    reader = lab(postgresql_middle, hospital, every_seconds=0.2)
    postgresql_middle.run("ALTER TABLE RESULTS RENAME TO GONE")
    processes.append(Process(reader, url_of(hospital), "one"))
    until(lambda: hospital.rows(PollBookmark) and reader.bookmark().trouble)
    time.sleep(1)
    (alert,) = hospital.rows(Alert, kind="POLL_FAILS")
    assert "TABLE" in alert.subject
    postgresql_middle.run("ALTER TABLE GONE RENAME TO RESULTS")
    put(postgresql_middle, 1)
    until(lambda: reader.taken() == ["1"])
    until(lambda: reader.bookmark().trouble is None)
    page = processes[0].metrics.render().decode()
    assert 'gateway_poll_rows_total{outcome="taken",partner="LIS",poll="results"} 1.0' in page
    assert 'gateway_poll_failures_total{partner="LIS",poll="results"}' in page


def test_a_lease_is_held_by_one_and_lost_with_its_connection(hospital: Hospital):
    url = url_of(hospital).replace("postgresql+psycopg", "postgresql")
    one, other = PollLease(url, "LIS", "results"), PollLease(url, "LIS", "results")
    assert one.hold()
    assert one.hold()
    assert not other.hold()
    one.release()
    assert other.hold()
    other.release()
