"""Clients that are slow, silent or hostile do not keep the hospital's other systems waiting."""

import threading
import time
from contextlib import suppress

import pytest

HEAD = b"POST /soap HTTP/1.1\r\nHost: gateway\r\nContent-Type: text/xml\r\n"


def drip(connections, done: threading.Event) -> None:
    """Send one more byte on every connection, five times a second."""
    while not done.wait(0.2):
        for connection in connections:
            with suppress(OSError):
                connection.sendall(b"a")


@pytest.fixture
def dripping(crowd):
    done = threading.Event()
    thread = threading.Thread(target=drip, args=(crowd, done))
    thread.start()
    yield
    done.set()
    thread.join()


def worst_of_a_few_good_requests(web) -> float:
    """Of a server that gives slow clients a minute: whoever had to wait for one would wait as long."""
    seconds = []
    for _ in range(8):
        seconds.append(web.seconds_of_a_good_request())
        time.sleep(0.05)
    return max(seconds)


@pytest.mark.parametrize("length", [b"Content-Length: 4000", b"Transfer-Encoding: chunked"])
def test_twenty_dripping_bodies_do_not_delay_a_good_request(patient_web, crowd, dripping, length):
    crowd += [patient_web.open(HEAD + length + b"\r\n\r\n") for _ in range(20)]
    assert worst_of_a_few_good_requests(patient_web) < 20


def test_three_dripping_large_bodies_leave_the_fourth_thread_to_others(patient_web, crowd, dripping):
    crowd += [patient_web.open(HEAD + b"Content-Length: 900000\r\n\r\n") for _ in range(3)]
    assert worst_of_a_few_good_requests(patient_web) < 20


def test_twenty_dripping_heads_do_not_delay_a_good_request(patient_web, crowd, dripping):
    crowd += [patient_web.open(b"POST /soap HTTP/1.1\r\nX-Slow: ") for _ in range(20)]
    assert worst_of_a_few_good_requests(patient_web) < 20


def test_a_hundred_idle_connections_do_not_delay_a_good_request(patient_web, crowd):
    crowd += [patient_web.open() for _ in range(100)]
    assert worst_of_a_few_good_requests(patient_web) < 20


def test_a_hundred_kept_alive_connections_do_not_delay_a_good_request(patient_web, crowd):
    crowd += [patient_web.open(b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n") for _ in range(100)]
    assert all(b"200 OK" in connection.recv(4096) for connection in crowd)
    assert worst_of_a_few_good_requests(patient_web) < 20


def test_clients_that_read_an_answer_and_never_close_do_not_delay_a_good_request(patient_web, crowd):
    crowd += [patient_web.open(b"GET / HTTP/1.0\r\n\r\n") for _ in range(20)]
    assert all(b"200 OK" in connection.recv(4096) for connection in crowd)
    assert worst_of_a_few_good_requests(patient_web) < 20


def test_clients_that_never_read_their_answer_lose_their_thread_at_its_deadline(web, crowd):
    crowd += [web.open(b"GET / HTTP/1.1\r\nHost: gateway\r\nX-Answer-Bytes: 50000000\r\n\r\n") for _ in range(4)]
    assert web.seconds_of_a_good_request() < 20


def test_a_slow_head_is_cut(web, crowd, dripping):
    crowd.append(web.open(b"POST /soap HTTP/1.1\r\nX-Slow: "))
    started = time.monotonic()
    with suppress(ConnectionResetError):
        assert web.rest(crowd[0]) == ""
    assert time.monotonic() - started > 1


@pytest.mark.parametrize("length", [4000, 900_000])
def test_a_stalled_body_is_answered_with_a_fault_at_its_deadline(web, crowd, length):
    started = time.monotonic()
    crowd.append(web.open(HEAD + b"Content-Length: %d\r\n\r\n" % length + web.good))
    answer = web.rest(crowd[0])
    assert "Fault V11 TooSlow" in answer
    assert "Connection: close" in answer
    assert time.monotonic() - started > 2


def test_a_dripping_large_body_is_answered_with_a_fault_at_its_deadline(web, crowd, dripping):
    crowd.append(web.open(HEAD + b"Content-Length: 900000\r\n\r\n" + web.good))
    assert "Fault V11 TooSlow" in web.rest(crowd[0])


def test_a_truncated_body_is_answered_with_a_fault(web, crowd):
    crowd.append(web.open(HEAD + b"Content-Length: 4000\r\n\r\n" + web.good))
    crowd[0].shutdown(1)
    assert "Fault V11 InvalidMessage" in web.rest(crowd[0])


@pytest.mark.parametrize("size", [b"f" * 40, b"ffffffff", b"-1", b"zz"])
def test_an_absurd_chunk_size_is_refused_at_once(patient_web, crowd, size):
    crowd.append(patient_web.open(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + size + b"\r\n<"))
    assert "Fault V11 InvalidMessage" in patient_web.rest(crowd[0])


def test_a_body_in_a_hundred_thousand_chunks_is_refused(web, crowd):
    crowd.append(web.open(HEAD + b"Transfer-Encoding: chunked\r\n\r\n"))
    crowd[0].sendall(b"1\r\n<\r\n" * 100_000)
    assert "Fault V11 InvalidMessage" in web.rest(crowd[0])


@pytest.mark.parametrize("size", [3_000_000, 19_000_000, 30_000_000])
def test_a_client_reads_that_its_message_is_too_large_although_it_sends_on(web, crowd, size):
    crowd.append(web.open(HEAD + b"Content-Length: %d\r\n\r\n" % size + web.good))
    crowd[0].sendall(b" " * (size - len(web.good)))
    answer = web.rest(crowd[0])
    assert answer.startswith("HTTP/1.1 413 ")
    assert "Fault V11 TooLarge" in answer
    assert "Connection: close" in answer


def test_a_large_message_of_a_trusted_client_comes_in(web):
    assert web.post(web.good + b"<!--trusted-->" + b" " * 3_000_000)[0] == 200


def test_a_chunked_message_of_a_good_client_comes_in(web):
    assert web.post(iter([web.good[:50], web.good[50:]]))[0] == 200


def test_messages_of_invented_names_leave_no_memory_behind(web):
    def kept() -> int:
        [pid] = web.worker_pids()
        with open(f"/proc/{pid}/statm") as pages:
            return int(pages.read().split()[1]) * 4096

    web.post()
    before = kept()
    for message in range(40):
        names = b"".join(b"<n%d-%d-%s/>" % (message, number, b"x" * 24) for number in range(45_000))
        web.post(web.good.replace(b"</s:Body>", names + b"</s:Body>"))
    assert kept() - before < 64_000_000
