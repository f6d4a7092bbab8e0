"""Where the nodes live: each in a network namespace of its own, joined by a bridge; else two ports of this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from gateway.simulators.process import free_port


@dataclass(frozen=True)
class Place:
    """Where one node runs."""

    name: str
    address: str
    port: int
    namespace: str | None

    @property
    def prefix(self) -> list[str]:
        """What stands before a command that is to run there."""
        return ["ip", "netns", "exec", self.namespace] if self.namespace else []

    def pull_cable(self) -> None:
        _ip("-n", self.namespace, "link", "set", "eth0", "down")

    def plug_in(self) -> None:
        _ip("-n", self.namespace, "link", "set", "eth0", "up")


@dataclass(frozen=True)
class Network:
    """The machines' network."""

    words: str
    address: str
    """Of what all nodes reach: database, balancer and partners."""
    places: tuple[Place, ...]
    has_cables: bool


def _ip(*words: object) -> None:
    subprocess.run(["ip", *map(str, words)], check=True, capture_output=True)


@contextmanager
def network() -> Iterator[Network]:
    """Namespaces where they are allowed; nothing of them is left at the end."""
    if not _namespaces_are_allowed():
        places = tuple(Place(f"gw{n}", "127.0.0.1", free_port(), None) for n in (1, 2))
        yield Network("two folders and two ports of this machine (no network namespaces)", "127.0.0.1", places, False)
        return
    number = os.getpid() % 10_000
    subnet = f"10.213.{number % 250}"
    bridge, names = f"gwb{number}", [f"gw-proof-{number}-{n}" for n in (1, 2)]
    try:
        _ip("link", "add", bridge, "type", "bridge")
        _ip("addr", "add", f"{subnet}.1/24", "dev", bridge)
        _ip("link", "set", bridge, "up")
        for n, name in enumerate(names, 1):
            _ip("netns", "add", name)
            _ip("link", "add", f"gwv{number}-{n}", "type", "veth", "peer", "name", "eth0", "netns", name)
            _ip("link", "set", f"gwv{number}-{n}", "master", bridge, "up")
            _ip("-n", name, "addr", "add", f"{subnet}.{10 + n}/24", "dev", "eth0")
            _ip("-n", name, "link", "set", "lo", "up")
            _ip("-n", name, "link", "set", "eth0", "up")
        places = tuple(Place(f"gw{n}", f"{subnet}.{10 + n}", 8080, name) for n, name in enumerate(names, 1))
        yield Network("two network namespaces on one bridge", f"{subnet}.1", places, True)
    finally:
        for name in names:
            with suppress(subprocess.CalledProcessError):
                _ip("netns", "del", name)
        with suppress(subprocess.CalledProcessError):
            _ip("link", "del", bridge)


def _namespaces_are_allowed() -> bool:
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    name = f"gw-probe-{os.getpid()}"
    try:
        _ip("netns", "add", name)
        subprocess.run(["ip", "netns", "exec", name, "true"], check=True, capture_output=True)
        _ip("link", "add", f"gwp{os.getpid() % 10_000}", "type", "veth", "peer", "name", "eth0", "netns", name)
    except subprocess.CalledProcessError:
        return False
    finally:
        with suppress(subprocess.CalledProcessError):
            _ip("netns", "del", name)
    return True
