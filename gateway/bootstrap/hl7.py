"""The process that takes HL7 over MLLP (`gateway hl7 serve`): puts its parts together and runs the ports of [[hl7]]."""

from __future__ import annotations

import logging
import os
import signal
import socket
import ssl
import threading
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from gateway.bootstrap.core import Core, make_core, presence_of, process_metrics
from gateway.bootstrap.doors import Doors, make_doors
from gateway.config import ConfigurationError, Settings
from gateway.facades.hl7 import Hl7Door
from gateway.hl7.listener import BACKLOG, Answer, Listener, Patience
from gateway.hl7_config import Hl7Port
from gateway.mapping.errors import StylesheetBroken
from gateway.monitoring import Metrics
from gateway.nodes.presence import Kind

POOL = 20
"""Connections to the database; that many messages are decided at once, others wait."""

_log = logging.getLogger(__name__)


def run_hl7_server(settings: Settings, log_file: Path | None = None, *, alone: bool = True) -> None:
    """Take HL7 at every port of the site until a signal ends it; messages that have begun are finished.

    Unless it is `alone`, somebody else ends it when the node is to drain. Raises ConfigurationError when a port
    cannot be used.
    """
    if not settings.hl7:
        raise ConfigurationError(f"{settings.folder / 'gateway.toml'} has no [[hl7]]: there is no port to listen on.")
    core = make_core(settings, pool_size=POOL, log_file=log_file)
    metrics = process_metrics()
    core.sender.attempted = metrics.attempted
    doors = make_doors(core)
    ending = threading.Event()
    with ExitStack() as stack:
        checked = [(port, _checked(core, doors, metrics, port)) for port in settings.hl7]
        listeners = [_listener(port, answer, tls, stack) for port, (answer, tls) in checked]
        for order in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(order, lambda *_: ending.set())
        end = partial(os.kill, os.getpid(), signal.SIGTERM) if alone else None
        presence = presence_of(settings, Kind.HL7, end, ending.is_set)
        presence.start()
        stack.callback(presence.leave)
        threads = [threading.Thread(target=one.serve, name=f"hl7-{one.name}") for one in listeners]
        for thread in threads:
            thread.start()
        ending.wait()
        _log.info("HL7 ends: messages that have begun are finished.")
        for listener in listeners:
            listener.stop()
        for thread in threads:
            thread.join()
    core.close()


def _checked(core: Core, doors: Doors, metrics: Metrics, port: Hl7Port) -> tuple[Answer, ssl.SSLContext | None]:
    """What a port needs, before any port is opened: a process that cannot stay is to hear nobody."""
    door = make_door(core, doors, metrics, port)
    try:
        door.check()
    except StylesheetBroken as problem:
        raise ConfigurationError(f"{core.settings.folder / 'gateway.toml'}: hl7 {port.name}: {problem}") from None
    return door.answer, port_tls(core.settings.folder, port)


def _listener(port: Hl7Port, answer: Answer, tls: ssl.SSLContext | None, stack: ExitStack) -> Listener:
    listener = Listener(
        port.name,
        stack.enter_context(_listening(port)),
        answer,
        patience=Patience(
            connections=port.connections,
            largest=port.largest_bytes,
            message_seconds=port.message_seconds,
            idle_seconds=port.idle_seconds,
        ),
        allowed=tuple(str(network) for network in port.addresses),
        tls=tls,
    )
    _log.info("HL7 %s listens on %s port %d for %s.", port.name, port.host, port.port, port.client)
    return listener


def make_door(core: Core, doors: Doors, metrics: Metrics, port: Hl7Port) -> Hl7Door:
    """What answers the messages of a port."""
    return Hl7Door(
        port,
        folder=core.settings.folder,
        contract=core.contract,
        intake=doors.intake,
        codes=core.codes,
        metrics=metrics,
        clock=core.clock,
        hospital_code=core.settings.hospital_code,
        body_bytes=core.settings.limits.body_bytes,
    )


def _listening(port: Hl7Port) -> socket.socket:
    family = socket.AF_INET6 if ":" in port.host else socket.AF_INET
    try:
        return socket.create_server((port.host, port.port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise ConfigurationError(
            f"Nothing can listen on {port.host} port {port.port} for HL7 {port.name} ({error.strerror or error}): "
            "choose another port, or stop what uses it."
        ) from None


def port_tls(folder: Path, port: Hl7Port) -> ssl.SSLContext | None:
    """Our certificate, and whose certificates are believed. Raises ConfigurationError for what cannot be used."""
    if port.certificate_file is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        key = folder / port.key_file if port.key_file else None
        context.load_cert_chain(folder / port.certificate_file, key)
        if port.ca_file is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(folder / port.ca_file)
    except (OSError, ssl.SSLError) as problem:
        raise ConfigurationError(
            f"{folder / 'gateway.toml'}: hl7 {port.name}: its certificate, key or authority cannot be used: "
            f"{getattr(problem, 'reason', None) or problem.strerror or type(problem).__name__}."
        ) from None
    return context
