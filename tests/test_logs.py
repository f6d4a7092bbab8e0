"""A log line is one JSON object, whatever is logged, and holds no value of a message."""

import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from gateway import logs

HOOKS = (sys.excepthook, threading.excepthook)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    """A process that logs into a file; afterwards everything is as before."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    logs.configure("web", file=tmp_path / "log")
    yield tmp_path / "log"
    for handler in root.handlers:
        handler.close()
    root.handlers[:], level = before
    root.setLevel(level)
    sys.excepthook, threading.excepthook = HOOKS
    logging.captureWarnings(False)
    logging.raiseExceptions = True
    structlog.reset_defaults()
    for name in (*logs.QUIET, "spyne"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_bytes().decode("ascii").split("\n")[:-1]]


def test_a_line_says_when_where_and_what(log: Path):
    logging.getLogger("gateway.soap").warning("Partner %s is away.", "HIS")
    (line,) = lines(log)
    assert (line["level"], line["process"], line["event"]) == ("warning", "web", "Partner HIS is away.")
    assert line["time"].endswith("Z")
    assert isinstance(line["pid"], int)


def test_only_its_owner_can_read_the_log(log: Path):
    assert log.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("break_", ["\n", "\r\n", "\u2028", "\u0085", "\x0b", "\x00"])
def test_no_text_can_forge_a_line(log: Path, break_: str):
    logging.getLogger("x").warning("before%safter", break_ + '{"level": "info"}' + break_)
    assert len(lines(log)) == 1
    assert len(log.read_text().splitlines()) == 1


def test_an_exception_is_logged_without_its_text(log: Path):
    def read() -> None:
        raise ValueError("张三 110101199003070000")

    try:
        try:
            read()
        except ValueError as cause:
            raise KeyError("密码") from cause
    except KeyError:
        logging.getLogger("x").exception("It failed.")
    (line,) = lines(log)
    assert [error["kind"] for error in line["error"]] == ["builtins.KeyError", "builtins.ValueError"]
    assert line["error"][1]["at"][-1].endswith(" read")
    assert not {"张三", "110101199003070000", "密码"} & set(str(line).split())
    assert "1101011990" not in log.read_text()


def test_what_ends_a_thread_is_logged_without_its_text(log: Path):
    def fail() -> None:
        raise RuntimeError("张三")

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    (line,) = lines(log)
    assert (line["level"], line["error"][0]["kind"]) == ("critical", "builtins.RuntimeError")
    assert "\\u5f20" not in log.read_text()


def test_of_what_is_given_beside_the_text_only_numbers_and_codes_are_kept(log: Path):
    extra = {"message_id": "M1", "partner": "HIS", "patient_name": "ZHANG", "job": {"args": "ZHANG"}}
    logging.getLogger("x").warning("sent", extra=extra)
    assert "ZHANG" not in log.read_text()
    assert (lines(log)[0]["message_id"], lines(log)[0]["partner"]) == ("M1", "HIS")


def test_loggers_that_show_messages_are_quiet(log: Path):
    for name, level in (("zeep.transports", logging.DEBUG), ("procrastinate.worker", logging.INFO)):
        logging.getLogger(name).log(level, "<Envelope/>")
    logging.getLogger("spyne.protocol.xml").error("<Envelope/>")
    assert lines(log) == []


def test_a_line_that_cannot_be_made_is_left_out_and_not_printed(log: Path, capsys: pytest.CaptureFixture[str]):
    logging.getLogger("x").warning("%d", "ZHANG")
    assert capsys.readouterr() == ("", "")
    assert "ZHANG" not in log.read_text()


def test_warnings_of_python_are_lines_too(log: Path):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("careful", stacklevel=1)
    assert "careful" in lines(log)[0]["event"]


def test_structlog_writes_the_same_lines(log: Path):
    structlog.get_logger("gateway.x").info("done", code="0")
    (line,) = lines(log)
    assert (line["event"], line["code"], line["process"]) == ("done", "0", "web")


def test_a_log_that_is_renamed_away_is_begun_anew(log: Path):
    logging.getLogger("x").warning("one")
    log.rename(log.with_suffix(".1"))
    logging.getLogger("x").warning("two")
    assert [line["event"] for line in lines(log)] == ["two"]


def test_a_very_long_text_is_cut(log: Path):
    logging.getLogger("x").warning("x" * 100_000)
    assert len(lines(log)[0]["event"]) == logs.LONGEST_TEXT
