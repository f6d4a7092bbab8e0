"""HAProxy with the settings of deploy/haproxy.cfg, the addresses alone replaced."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from gateway.simulators.process import free_port
from tests.nodes.proof.network import Network

SHIPPED = Path(__file__).parents[3] / "deploy" / "haproxy.cfg"


class NoBalancer(Exception):
    """There is none on this machine; the text says how to get one."""


def install_haproxy() -> str:
    """Where HAProxy is; root of a Debian gets it installed. Raises NoBalancer."""
    path = os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin"
    if shutil.which("haproxy", path=path) is None and os.geteuid() == 0 and shutil.which("apt-get"):
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "check": False}
        subprocess.run(["apt-get", "update", "-qq"], **quiet)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "install", "-y", "-qq", "haproxy"], env=environment, **quiet)
    found = shutil.which("haproxy", path=path)
    if found is None:
        raise NoBalancer("HAProxy is needed in front of the nodes: apt-get install haproxy, then try again.")
    return found


class Balancer:
    """A running HAProxy."""

    def __init__(self, network: Network, folder: Path) -> None:
        self._program = install_haproxy()
        self.address, self.port = network.address, free_port()
        text = SHIPPED.read_text(encoding="utf-8")
        text = text.replace("bind :443 ssl crt /etc/haproxy/gateway.pem", f"bind {self.address}:{self.port}")
        for number, place in enumerate(network.places, 1):
            text = text.replace(f"10.0.0.1{number}:8080", f"{place.address}:{place.port}")
        if re.search(r"10\.0\.0\.1\d:", text):
            raise NoBalancer(f"{SHIPPED} has other addresses than this proof replaces.")
        self._settings = folder / "haproxy.cfg"
        self._settings.write_text(text, encoding="utf-8")
        self._log = (folder / "haproxy.log").open("wb")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def version(self) -> str:
        told = subprocess.run([self._program, "-v"], capture_output=True, text=True, check=False).stdout
        return " ".join(told.split()[:3])

    def start(self) -> None:
        command = [self._program, "-db", "-f", str(self._settings)]
        self._process = subprocess.Popen(command, stdout=self._log, stderr=subprocess.STDOUT)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._log.close()
