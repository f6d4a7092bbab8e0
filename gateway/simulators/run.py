"""Runs one simulated system until it is told to stop."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from datetime import timedelta, timezone
from pathlib import Path
from types import FrameType

from waitress.server import create_server

from gateway.contract import Contract
from gateway.messages.wire import Wire
from gateway.simulators.department import SimulatedLis, SimulatedPacs
from gateway.simulators.duty import SECRET, DutyOfficeSimulator, SimulatedDutyOffice
from gateway.simulators.emr import SimulatedEmr
from gateway.simulators.his import SimulatedHis
from gateway.simulators.insurance import SimulatedInsurance
from gateway.simulators.insurance_server import InsuranceSimulator
from gateway.simulators.memory import Memory
from gateway.simulators.request_log import RequestLog
from gateway.simulators.server import Simulator, SoapSimulator
from gateway.simulators.system import SimulatedSystem
from gateway.simulators.vendors.calling import Gateway
from gateway.simulators.vendors.posting import PostedSimulator, PostedVendor
from gateway.simulators.vendors.server import VendorSimulator
from gateway.simulators.vendors.table import VENDORS

SYSTEMS: dict[str, type[SimulatedSystem]] = {
    "his": SimulatedHis,
    "pacs": SimulatedPacs,
    "lis": SimulatedLis,
    "emr": SimulatedEmr,
    "insurance": SimulatedInsurance,
    "duty": SimulatedDutyOffice,
}
THREADS = 16
HOSPITAL_TIME = timezone(timedelta(hours=8))


class PortInUse(Exception):
    """Another program listens on the port; the text is one line for the person at the terminal."""


def simulate(
    kind: str,
    port: int,
    log: Path,
    *,
    folder: Path | None = None,
    host: str = "127.0.0.1",
    end_with_parent: bool = False,
    vendor: bool = False,
    gateway: Gateway | None = None,
    database: str = "",
) -> None:
    """Serve as one of SYSTEMS, or with `vendor` or where there is no other form of VENDORS, until SIGTERM or Ctrl-C;
    port 0 takes a free one. Raises PortInUse.

    With a folder it remembers over a restart. The address is printed once it answers. A vendor's system that is given
    the gateway can be told to call it; one that works with a database has that at `database`.
    """
    listener = _listen(host, port)
    base = f"http://{host}:{listener.getsockname()[1]}"
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    memory = Memory(None if folder is None else folder / f"{kind}-memory.jsonl")
    request_log = RequestLog(log)
    application: Simulator
    if vendor or kind not in SYSTEMS:
        system = VENDORS[kind](memory)
        if database:
            system.use_database(database)
        if isinstance(system, PostedVendor):
            application = PostedSimulator(system, request_log, base, gateway)
        else:
            application = VendorSimulator(system, request_log, base, gateway)
    else:
        application = _of_our_contract(kind, memory, request_log, base, folder)
    server = create_server(
        application, sockets=[listener], threads=THREADS, ident="", clear_untrusted_proxy_headers=True
    )
    signal.signal(signal.SIGTERM, _leave)
    if end_with_parent:
        threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.stdout.write(f"{application.name} simulator: {base}{application.path}\n")
    sys.stdout.flush()
    server.run()
    server.close()
    request_log.close()


def _of_our_contract(kind: str, memory: Memory, request_log: RequestLog, base: str, folder: Path | None) -> Simulator:
    """A system that speaks our contract, the insurance interface or notices."""
    contract = Contract()
    wire = Wire(contract, HOSPITAL_TIME)
    contract.schema  # noqa: B018 - read now, not with the first request
    system = SYSTEMS[kind](memory, wire)
    if isinstance(system, SimulatedInsurance):
        return InsuranceSimulator(system, request_log)
    if isinstance(system, SimulatedDutyOffice):
        return DutyOfficeSimulator(system, request_log, None if folder is None else folder / SECRET)
    return SoapSimulator(system, contract, wire, request_log, f"{base}{SoapSimulator.path}")


def _listen(host: str, port: int) -> socket.socket:
    """A socket that refuses callers until the server really runs."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise PortInUse(f"Port {port} of {host} is in use or not allowed: choose another one.") from None
    return listener


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)


def _end_with_parent() -> None:
    """Whoever started us keeps the other end of our standard input open for as long as it lives."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
