"""Processes that die are started again, the sooner the better they had run, and all end in order."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.supervision import Child, Supervisor, children_of

SLEEPS = [sys.executable, "-c", "import time; time.sleep(60)"]
ENDS = [sys.executable, "-c", "raise SystemExit(3)"]
NOTES_ITS_END = """
import signal, sys, time
def end(*_):
    open(sys.argv[1], "a").write(sys.argv[2] + "\\n"); sys.exit()
signal.signal(signal.SIGTERM, end)
open(sys.argv[1] + "." + sys.argv[2], "w").close()
time.sleep(60)
"""
NEVER_ENDS = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open(sys.argv[1], "w").close()
time.sleep(60)
"""


@contextmanager
def supervised(*children: Child, **more: Callable[..., object]) -> Iterator[Supervisor]:
    supervisor = Supervisor(children, **more)  # type: ignore[arg-type]
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    try:
        yield supervisor
    finally:
        supervisor.stop()
        supervisor.hurry.set()
        thread.join(60)


def until(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_killed_process_is_started_again_and_its_number_told():
    told: list[dict[str, int]] = []
    buried: list[int] = []
    with supervised(Child("worker", SLEEPS), changed=told.append, buried=buried.append) as supervisor:
        until(lambda: told)
        first = told[0]["worker"]
        os.kill(first, signal.SIGKILL)
        until(lambda: len(told) == 2)
        assert supervisor.pids()["worker"] == told[1]["worker"] != first
        assert buried == [first]


def test_a_process_that_keeps_dying_is_started_ever_more_seldom():
    child = Child("web", ENDS)
    waits = [child.note_death(now=100.0) for _ in range(7) if not setattr(child, "started_at", 99.0)]
    assert waits == [0.0, 1.0, 2.0, 5.0, 10.0, 10.0, 10.0]


def test_a_process_that_had_run_well_is_started_at_once():
    child = Child("web", ENDS, early_deaths=4, started_at=0.0)
    assert child.note_death(now=1000.0) == 0.0


def test_the_end_is_logged_with_its_reason(caplog: pytest.LogCaptureFixture):
    with supervised(Child("web", ENDS)):
        until(lambda: "ended with exit code 3" in caplog.text)


def test_a_later_stage_ends_after_an_earlier_one(tmp_path: Path):
    notes = tmp_path / "ends"
    command = [sys.executable, "-c", NOTES_ITS_END, str(notes)]
    late, early = Child("late", [*command, "late"], stage=1), Child("early", [*command, "early"], stage=0)
    supervisor = Supervisor([late, early])
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    until(lambda: len(list(tmp_path.glob("ends.*"))) == 2)
    supervisor.stop()
    thread.join(60)
    assert notes.read_text() == "early\nlate\n"


def test_a_process_that_does_not_end_is_killed_when_told_twice(tmp_path: Path):
    supervisor = Supervisor([Child("stubborn", [sys.executable, "-c", NEVER_ENDS, str(tmp_path / "on")])])
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    until((tmp_path / "on").exists)
    pid = supervisor.pids()["stubborn"]
    supervisor.stop()
    thread.join(0.5)
    assert thread.is_alive()
    supervisor.stop()
    thread.join(60)
    assert not Path(f"/proc/{pid}").exists()


def test_processes_of_processes_are_found():
    command = f"{sys.executable} -c 'import time; time.sleep(60)' & wait"
    with subprocess.Popen(["/bin/sh", "-c", command], start_new_session=True) as shell:
        until(lambda: len(children_of(shell.pid)) == 1)
        os.killpg(shell.pid, signal.SIGKILL)
    assert children_of(shell.pid) == []
