"""Ports for simulators: what one was given, nobody else is given before its server has started."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from gateway.simulators import process


def test_no_port_is_given_twice_here_or_to_another_process_and_a_server_may_still_have_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process, "_kept", type(process._kept)())
    given = [process.free_port() for _ in range(3)]
    monkeypatch.setattr("random.randrange", lambda *_: given[0])
    with pytest.raises(process.SimulatorFailed, match="No free port"):
        process.free_port()
    program = f"import random; random.randrange = lambda *_: {given[0]}\n" \
              "from gateway.simulators.process import free_port; free_port()"  # fmt: skip
    elsewhere = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "No free port" in elsewhere.stderr
    for port in given:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port)).close()
        with socket.create_server(("127.0.0.1", port)):
            socket.create_connection(("127.0.0.1", port)).close()


def test_only_the_latest_ports_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_kept", type(process._kept)())
    monkeypatch.setattr(process, "KEPT_PORTS", 1)
    first, _ = process.free_port(), process.free_port()
    socket.create_server(("127.0.0.1", first)).close()
    monkeypatch.setattr("random.randrange", lambda *_: first)
    assert process.free_port() == first
