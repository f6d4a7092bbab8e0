"""What a process writes to its log: one JSON object a line, which no message can forge and in which no value stands.

The text of an exception can hold a patient's name (a database repeats the row it refuses), so of an exception only its
kind, its causes and the places in the code are written. Of what a logger is given beside its text only the few names
in WORDS are written: numbers and codes by which a message is found again.
"""

from __future__ import annotations

import logging
import logging.handlers
import os
import sys
import threading
import traceback
from collections.abc import MutableMapping
from pathlib import Path
from types import TracebackType
from typing import Any

import structlog
from gunicorn import glogging

WORDS = ("message_id", "txn_no", "operation", "partner", "client", "code", "delivery", "attempt", "milliseconds")
QUIET = ("alembic", "procrastinate", "urllib3", "zeep")
"""At DEBUG zeep writes envelopes, and procrastinate the contents of jobs."""
LONGEST_TEXT = 2000
MOST_PLACES = 25

_HERE = str(Path(__file__).resolve().parent.parent)
_log = logging.getLogger(__name__)


def configure(process: str, *, file: Path | None = None) -> None:
    """Send everything this process logs to the file, else to standard error. `process` stands in each line."""
    handler = _handler(file)
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(allow=WORDS), *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _Origin(process),
                _exception_without_values,
                structlog.processors.JSONRenderer(ensure_ascii=True),
            ],
        )
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("spyne").setLevel(logging.CRITICAL + 1)  # it writes the whole of a message it cannot read
    logging.captureWarnings(True)
    logging.raiseExceptions = False  # what could not be formatted would be printed with its values
    sys.excepthook = _log_end
    threading.excepthook = lambda ended: _log_end(ended.exc_type, ended.exc_value, ended.exc_traceback)


class GunicornLog(glogging.Logger):  # type: ignore[misc]
    """gunicorn's log, which goes where everything else goes; requests are counted, not listed."""

    def setup(self, cfg: Any) -> None:
        """Take gunicorn's level and none of its handlers."""
        self.cfg = cfg
        self._access_log_enabled = False
        self.error_log.setLevel(logging.INFO)
        self.error_log.handlers[:] = []
        self.error_log.propagate = True
        self.access_log.handlers[:] = []


def _handler(file: Path | None) -> logging.Handler:
    """Of a file that only this user can read; it may be renamed away by logrotate at any time."""
    if file is None:
        return logging.StreamHandler(sys.stderr)
    os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
    return logging.handlers.WatchedFileHandler(file, encoding="ascii")


class _Origin:
    """Adds which process wrote the line, and keeps its text within bounds."""

    def __init__(self, process: str) -> None:
        self.process = process

    def __call__(self, _: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        text = str(event.pop("event", ""))
        first = {"time": event.pop("time"), "level": event.pop("level"), "process": self.process, "pid": os.getpid()}
        return first | {"event": text[:LONGEST_TEXT]} | dict(event)


def _exception_without_values(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    information = event.pop("exc_info", None)
    event.pop("stack_info", None)
    if information is True:
        information = sys.exc_info()
    error = information[1] if isinstance(information, tuple) else information
    if isinstance(error, BaseException):
        event["error"] = describe(error)
    return event


def describe(error: BaseException) -> list[dict[str, Any]]:
    """The kinds of an error and of its causes, each with the places it came through, without any of their texts."""
    found: list[dict[str, Any]] = []
    present: BaseException | None = error
    while present is not None and len(found) < 5:
        kind = f"{type(present).__module__}.{type(present).__qualname__}"
        frames = traceback.extract_tb(present.__traceback__)[-MOST_PLACES:]
        places = [f"{frame.filename.removeprefix(_HERE + os.sep)}:{frame.lineno} {frame.name}" for frame in frames]
        one: dict[str, Any] = {"kind": kind, "at": places}
        if isinstance(state := getattr(present, "sqlstate", None), str):
            one["sqlstate"] = state
        found.append(one)
        present = present.__cause__ or (None if present.__suppress_context__ else present.__context__)
    return found


def _log_end(kind: type[BaseException], error: BaseException | None, places: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt | SystemExit):
        return
    _log.critical("Something unexpected ended a part of this process.", exc_info=(kind, error, places))  # type: ignore[arg-type]
