"""Messages that wait for something which never comes are not forgotten silently."""

from concurrent.futures import ThreadPoolExecutor

from building import TEN, ct_requisition, minutes, status
from gateway.config import Rules
from gateway.model.journal import ParkedMessage
from gateway.operations.parking import expire_parked
from hospital import Hospital


def expire(hospital: Hospital) -> int:
    with hospital.sessions.begin() as session:
        return expire_parked(session, hospital.clock())


def test_a_message_that_waited_in_vain_becomes_a_dead_letter_with_an_alert(hospital: Hospital) -> None:
    hospital.send(status())
    hospital.clock.now = TEN + minutes(10)
    assert expire(hospital) == 1
    assert hospital.row(ParkedMessage).result_code == "EXPIRED"
    assert hospital.alerts() == ["PARKED_EXPIRED"]


def test_it_is_alerted_once(hospital: Hospital) -> None:
    hospital.send(status())
    hospital.clock.now = TEN + minutes(10)
    assert [expire(hospital), expire(hospital)] == [1, 0]


def test_a_message_in_time_and_one_that_was_applied_are_left_alone(hospital: Hospital) -> None:
    hospital.send(status())
    assert expire(hospital) == 0
    hospital.send(ct_requisition())
    hospital.clock.now = TEN + minutes(60)
    assert expire(hospital) == 0


def test_a_status_sent_again_after_it_expired_waits_anew(hospital: Hospital) -> None:
    early = status()
    hospital.send(early)
    hospital.clock.now = TEN + minutes(10)
    expire(hospital)
    assert hospital.send(early).result.parked is True
    assert hospital.row(ParkedMessage).result_code is None


def test_the_site_says_how_long_a_message_waits(hospital: Hospital) -> None:
    hospital.choose(rules=Rules(parked_minutes=3))
    hospital.send(status("R9"))
    assert hospital.row(ParkedMessage).expires_at == TEN + minutes(3)


def test_many_processes_that_look_at_once_alert_once(hospital: Hospital) -> None:
    for number in range(10):
        hospital.send(status(f"R{number}"))
    hospital.clock.now = TEN + minutes(10)
    with ThreadPoolExecutor(8) as processes:
        expired = list(processes.map(lambda _: expire(hospital), range(8)))
    assert (sum(expired), len(hospital.alerts())) == (10, 10)
