"""MLLP over real sockets: frames in any pieces, slow and rude senders, and the end of a listener."""

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from gateway.hl7.listener import Listener, Patience
from gateway.hl7.mllp import Frames, NotMllp, framed
from tests.partners.certificates import Authority, client_context, server_context


def test_frames_come_in_any_pieces():
    frames, whole = Frames(), framed(b"one") + framed("二".encode("gb18030")) + b"\r\n" + framed(b"3")
    found = []
    for place in range(len(whole)):
        frames.add(whole[place : place + 1])
        while (message := frames.take()) is not None:
            found.append(message)
    assert found == [b"one", "二".encode("gb18030"), b"3"]
    assert not frames.has_begun


def test_a_frame_without_its_last_byte_is_whole():
    frames = Frames()
    frames.add(b"\x0bone\x1c")
    assert frames.take() == b"one"
    frames.add(b"\x0btwo\x1c\r")
    assert frames.take() == b"two"


@pytest.mark.parametrize(("piece", "code"), [(b"GET / HTTP/1.1", "NOT-MLLP"), (b"\x0b" + b"x" * 20, "TOO-LARGE")])
def test_what_can_become_no_message_is_known_at_once(piece: bytes, code: str):
    with pytest.raises(NotMllp, match=code):
        Frames(largest=10).add(piece)


# --- The listener -----------------------------------------------------------------------------------------------------


@contextmanager
def listening(answer: Callable[[bytes], bytes] = bytes.upper, **keywords) -> Iterator[Listener]:
    listener = Listener("HIS", socket.create_server(("127.0.0.1", 0)), answer, **keywords)
    thread = threading.Thread(target=listener.serve)
    thread.start()
    try:
        yield listener
    finally:
        listener.stop()
        thread.join(10)
        assert not thread.is_alive()


def connected(listener: Listener) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", listener.port), timeout=5)
    connection.settimeout(5)
    return connection


def turns_away(listener: Listener) -> bool:
    """Whether a new connection is refused, or closed without a word."""
    try:
        with connected(listener) as late:
            return late.recv(1) == b""
    except OSError:
        return True


def receive(connection: socket.socket) -> bytes:
    """One frame; what came before the connection was closed otherwise."""
    came = b""
    while not came.endswith(b"\x1c\r"):
        try:
            piece = connection.recv(1 if came.endswith(b"\x1c") else 4096)
        except ConnectionError:
            piece = b""
        if not piece:
            break
        came += piece
    return came


def test_one_connection_carries_many_messages():
    with listening() as listener, connected(listener) as sender:
        for word in (b"one", b"two"):
            sender.sendall(framed(word))
            assert receive(sender) == framed(word.upper())


def test_messages_sent_without_waiting_are_answered_in_their_order():
    with listening() as listener, connected(listener) as sender:
        sender.sendall(framed(b"one") + framed(b"two") + framed(b"three"))
        assert receive(sender).startswith(framed(b"ONE"))


def test_a_sender_that_drips_is_closed_and_holds_up_nobody(caplog: pytest.LogCaptureFixture):
    with listening(patience=Patience(message_seconds=0.5)) as listener:
        with connected(listener) as slow, connected(listener) as other:
            slow.sendall(b"\x0bsecret")
            began = time.monotonic()
            other.sendall(framed(b"one"))
            assert receive(other) == framed(b"ONE")
            while time.monotonic() < began + 0.4:
                slow.sendall(b"x")
                time.sleep(0.05)
            assert receive(slow) == b""
        assert "too slow" in caplog.text
        assert "secret" not in caplog.text


def test_a_silent_connection_is_closed_after_its_time():
    with listening(patience=Patience(idle_seconds=0.2)) as listener, connected(listener) as sender:
        assert receive(sender) == b""


def test_half_a_message_has_no_effect():
    seen: list[bytes] = []
    with listening(lambda message: seen.append(message) or b"") as listener, connected(listener) as sender:
        sender.sendall(b"\x0bhalf")
        sender.shutdown(socket.SHUT_WR)
        assert receive(sender) == b""
    assert seen == []


def test_an_oversized_message_ends_its_connection():
    with listening(patience=Patience(largest=1000)) as listener, connected(listener) as sender:
        sender.sendall(b"\x0b" + b"x" * 2000)
        assert receive(sender) == b""


def test_too_many_connections_are_refused_until_one_ends():
    with listening(patience=Patience(connections=2)) as listener:
        first, second = connected(listener), connected(listener)
        for one in (first, second):
            one.sendall(framed(b"a"))
            assert receive(one) == framed(b"A")
        with connected(listener) as third:
            assert receive(third) == b""
        first.close()
        deadline = time.monotonic() + 5
        while listener.connections > 1 and time.monotonic() < deadline:
            time.sleep(0.01)
        with connected(listener) as fourth:
            fourth.sendall(framed(b"b"))
            assert receive(fourth) == framed(b"B")
        second.close()


@pytest.mark.parametrize(("allowed", "answer"), [(("10.0.0.0/8",), b""), (("127.0.0.0/8", "::1/128"), framed(b"A"))])
def test_only_allowed_addresses_are_heard(allowed: tuple[str, ...], answer: bytes, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING), listening(allowed=allowed) as listener, connected(listener) as sender:
        try:
            sender.sendall(framed(b"a"))
            assert receive(sender) == answer
        except ConnectionError:
            assert answer == b""
    assert ("not allowed" in caplog.text) == (answer == b"")


def test_a_listener_that_ends_finishes_what_it_has_begun():
    working, go_on = threading.Event(), threading.Event()

    def answer(message: bytes) -> bytes:
        working.set()
        go_on.wait(5)
        return message.upper()

    with listening(answer) as listener, connected(listener) as sender, connected(listener) as idle:
        sender.sendall(framed(b"one"))
        assert working.wait(5)
        listener.stop()
        assert receive(idle) == b"", "a connection that waits is closed at once"
        assert turns_away(listener)
        go_on.set()
        assert receive(sender) == framed(b"ONE")


def test_half_a_message_is_waited_for_only_a_little_at_the_end():
    with listening(patience=Patience(drain_seconds=0.3)) as listener, connected(listener) as sender:
        sender.sendall(b"\x0bon")
        time.sleep(0.1)
        listener.stop()
        sender.sendall(b"e\x1c\r")
        assert receive(sender) == framed(b"ONE"), "it came in time"


def test_who_has_no_certificate_of_the_hospital_is_not_heard(tmp_path: Path):
    authority = Authority(tmp_path)
    tls = server_context(authority.issue("127.0.0.1"), authority)
    known = client_context(authority.file)
    stranger = client_context(authority.file)
    client = authority.issue("LIS")
    known.load_cert_chain(client.certificate, client.key)
    with listening(tls=tls) as listener:
        with known.wrap_socket(connected(listener), server_hostname="127.0.0.1") as sender:
            sender.sendall(framed(b"x" * 100_000) + framed(b"two"))
            assert receive(sender) == framed(b"X" * 100_000)
            assert receive(sender) == framed(b"TWO")
        with suppress(OSError), stranger.wrap_socket(connected(listener), server_hostname="127.0.0.1") as sender:
            sender.sendall(framed(b"one"))
            assert receive(sender) == b""


def test_a_mistake_of_ours_ends_one_connection_only(caplog: pytest.LogCaptureFixture):
    def answer(message: bytes) -> bytes:
        return message.upper() if message != b"bad" else b"" + None

    with listening(answer) as listener:
        with connected(listener) as sender:
            sender.sendall(framed(b"bad"))
            assert receive(sender) == b""
        with connected(listener) as sender:
            sender.sendall(framed(b"good"))
            assert receive(sender) == framed(b"GOOD")
