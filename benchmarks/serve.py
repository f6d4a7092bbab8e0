"""One of the servers that are compared, in a process of its own: `python -m benchmarks.serve NAME FOLDER`.

FOLDER is a site made by `benchmarks.site`; the port the server listens on is printed once it does.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication

from gateway.bootstrap import web
from gateway.config import load_settings
from gateway.messages.common import Result
from gateway.messages.requisition import SubmitRequisitionResponseType
from gateway.operations.unit import Received
from gateway.soap.server import SoapServer
from gateway.terms import GatewayStatus

WORKERS = 2
PEER_THREADS = 8
"""What a site takes for gthread; with more a bare Spyne gets slower, because its threads share one lock."""
PEER_DATABASE = "PEER_DATABASE"
"""The variable that names the database of the server with the ORM."""


class WithoutStore:
    """Takes every requisition and keeps none: what is left is the way from the socket to the rules and back."""

    def receive(self, received: Received) -> SubmitRequisitionResponseType:
        return SubmitRequisitionResponseType(
            result=Result(
                result_code="0",
                result_text="成功",
                result_text_en="Accepted",
                message_id=received.request.header.message_id,
                gateway_txn_no=received.txn_no,
                duplicate=False,
                retryable=False,
                processed_at=received.received_at,
            ),
            requisition_no=received.request.requisition_no,
            gateway_status=GatewayStatus.RELEASED,
        )


def gateway(folder: Path) -> None:
    """The gateway as a site runs it, but without delivery workers: they would share the two cores."""
    web.run_web_server(load_settings(folder), _listen().detach())


def gateway_without_store(folder: Path) -> None:
    """The same web server, application and clients; only the reception is another."""
    complete = web.web_application

    def application(*parts: Any) -> SoapServer:
        return SoapServer(replace(complete(*parts)._parts, reception=WithoutStore()))

    web.web_application = application
    gateway(folder)


class Peer(BaseApplication):
    """gunicorn as it comes, with threads."""

    def __init__(self, make_application: Callable[[], Any]) -> None:
        self._make_application = make_application
        super().__init__()

    def load_config(self) -> None:
        settings = {
            "bind": f"fd://{_listen().detach()}",
            "workers": WORKERS,
            "threads": PEER_THREADS,
            "worker_class": "gthread",
            "keepalive": 60,
            "loglevel": "error",
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        return self._make_application()


def spyne(folder: Path) -> None:
    from benchmarks.bare_spyne import application

    Peer(application).run()


def spyne_with_orm(folder: Path) -> None:
    from benchmarks.spyne_with_orm import application

    Peer(lambda: application(os.environ[PEER_DATABASE])).run()


def _listen() -> socket.socket:
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    return listener


SERVERS = {server.__name__: server for server in (gateway, gateway_without_store, spyne, spyne_with_orm)}

if __name__ == "__main__":
    SERVERS[sys.argv[1]](Path(sys.argv[2]))
