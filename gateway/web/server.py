"""Start the web server: gunicorn with two processes of 64 threads, and limits for what a client may ask of it."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from gunicorn.app.base import BaseApplication

from gateway.web.draining import Drain, LeavingArbiter
from gateway.web.worker import PatientThreadWorker

WsgiApplication = Callable[[dict[str, Any], Any], Iterable[bytes]]

OPEN_FILES = 8192
SETTINGS: Mapping[str, Any] = {
    "bind": "127.0.0.1:8080",
    "workers": 2,
    "threads": 64,
    "worker_class": PatientThreadWorker,
    "worker_connections": 1000,
    "backlog": 1024,
    "keepalive": 60,
    "timeout": 60,
    "graceful_timeout": 35,
    "limit_request_line": 4094,
    "limit_request_fields": 64,
    "limit_request_field_size": 8190,
    # No client may rewrite its address, path or scheme: a SCRIPT_NAME header made gunicorn answer 500.
    "forwarder_headers": "",
    "secure_scheme_headers": {},
    "header_map": "drop",
    "accesslog": None,
    "errorlog": "-",
    "loglevel": "info",
    "control_socket_disable": True,
    "proc_name": "gateway",
}
"""gunicorn's settings where nothing else is asked for; docs/specification/wire.md names the limits."""


MEMORY = "/dev/shm"  # noqa: S108 - the signs of life of the processes: they must not wait for a disk


class GatewayServer(BaseApplication):  # type: ignore[misc]
    """The web server for one WSGI application, which `make_application` builds in each process after its start.

    `settings` are gunicorn's own, hooks such as `child_exit` among them, and take precedence over SETTINGS.
    """

    def __init__(
        self,
        make_application: Callable[[], WsgiApplication],
        settings: Mapping[str, Any] | None = None,
        drain: Drain | None = None,
    ):
        self.make_application = make_application
        self.drain = drain or Drain()
        self.settings = {**SETTINGS, **(settings or {})}
        super().__init__()

    def load_config(self) -> None:
        """Hand the settings to gunicorn."""
        if os.access(MEMORY, os.W_OK) and "worker_tmp_dir" not in self.settings:
            self.cfg.set("worker_tmp_dir", MEMORY)
        for name, value in self.settings.items():
            self.cfg.set(name.lower(), value)

    def load(self) -> WsgiApplication:
        """The application, in a worker process."""
        return self.make_application()

    def run(self) -> None:
        """Serve until a signal ends it."""
        allow_open_files(OPEN_FILES)
        arbiter = LeavingArbiter(self)
        arbiter.drain = self.drain
        arbiter.run()


def allow_open_files(wanted: int) -> None:
    """Let this process hold so many connections, as far as the system permits."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
