"""Runs the demonstration: starts everything fresh, plays the stories, serves until told to stop, leaves nothing behind.

The gateway's own processes are those of `gateway serve`, looked after from this process's main thread in the same way;
the stories are played beside it.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from gateway import logs, migrate
from gateway.config import Settings, load_settings
from gateway.database.embedded import EmbeddedDatabase
from gateway.demo.board import Board, StoryFailed
from gateway.demo.callers import Caller
from gateway.demo.passport import Passport
from gateway.demo.site import HOSPITAL_CODE, DemoRefused, add_clients, remove_database, take_folder, write_site
from gateway.demo.stage import Stage
from gateway.demo.stories import STORIES
from gateway.serving import Serving
from gateway.simulators.process import SimulatorProcess, free_port
from gateway.simulators.run import SYSTEMS
from gateway.site import database_session

FIRST_PORT, LAST_PORT = 8080, 8099
READY_SECONDS = 60.0


def run_demo(folder: Path, port: int | None, *, stories: bool, stay: bool) -> bool:
    """Run it from start to end, in the main thread; False when a story failed. Raises DemoRefused."""
    for name in [name for name in os.environ if name.startswith("GATEWAY_")]:
        del os.environ[name]  # the demonstration is a site of its own
    with take_folder(folder):
        demo = Demo(folder.resolve(), _usable(port), Board(), stories=stories, stay=stay)
        for order in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(order, lambda *_: demo.stop())
        demo.run()
    return not demo.failed


class Demo:
    """One run."""

    def __init__(self, folder: Path, port: int, board: Board, *, stories: bool, stay: bool) -> None:
        self.failed = False
        self._folder = folder
        self._port = port
        self._board = board
        self._stories = stories
        self._stay = stay
        self._log = folder / "gateway.log"
        self._given = {"US": secrets.token_urlsafe()}
        place, base = folder / "simulators", f"http://127.0.0.1:{port}"
        simulators = [SimulatorProcess(kind, free_port(), place) for kind in SYSTEMS]
        login = f"US:{self._given['US']}"
        simulators.append(
            SimulatorProcess("ultrasound", free_port(), place, vendor=True, gateway=base, login=login, name="US")
        )
        self._simulators = {simulator.name: simulator for simulator in simulators}
        self._serving: Serving | None = None
        self._ready = threading.Event()
        self._stopping = threading.Event()
        self._begun = time.monotonic()

    def stop(self) -> None:
        """End everything in order; a second call does not wait for what is being done."""
        self._stopping.set()
        if self._serving is not None:
            self._serving.stop()

    def run(self) -> None:
        """Start, play, serve, end."""
        self._board.say("Hospital gateway · 医院集成网关 · demonstration", "bold")
        logs.configure("demo", file=self._log)
        with ExitStack() as stack:
            stack.callback(remove_database, self._folder)
            stack.enter_context(self._running_simulators())
            settings, passwords = self._prepare()
            passport = self._passport(settings, passwords)
            stack.callback(passport.remove)
            self._serving = serving = Serving(settings, log_file=self._log)
            serving.when_ready = self._ready.set
            if self._stopping.is_set():
                serving.stop()
            serving.changed = lambda pids: passport.write(pids) if self._ready.is_set() else None
            player = threading.Thread(target=self._play, args=(passport, passwords), daemon=True)
            player.start()
            serving.run()
            player.join(timeout=5)
        with suppress(OSError):  # the terminal may have been closed
            self._board.say("Stopped: no process and no database is left.")

    # --- starting -----------------------------------------------------------------------------------------------------

    @contextmanager
    def _running_simulators(self) -> Iterator[None]:
        """The five systems, each a process; they start while the database is made."""
        try:
            for simulator in self._simulators.values():
                simulator.launch()
            yield
        finally:
            for simulator in self._simulators.values():
                simulator.tell_to_stop()
            for simulator in self._simulators.values():
                simulator.stop()

    def _prepare(self) -> tuple[Settings, dict[str, str]]:
        """Settings, database, tables and clients; the passwords by name."""
        write_site(self._folder, self._port, self._simulators.values())
        settings = load_settings(self._folder)
        url = EmbeddedDatabase(settings.database_folder).start()
        self._tell("database", f"PostgreSQL in {self._folder / 'database'}")
        migrate.upgrade(url)
        with database_session(settings) as session:
            passwords = add_clients(session, settings.key_file, self._given)
        self._tell("clients", f"{', '.join(passwords)}, each with a password of its own")
        for simulator in self._simulators.values():
            simulator.wait_until_it_answers()
            self._tell(f"simulated {simulator.name}", simulator.url)
        return settings, passwords

    def _passport(self, settings: Settings, passwords: dict[str, str]) -> Passport:
        path = self._folder.with_name(f"{self._folder.name}.json")
        base = settings.endpoint.removesuffix("/soap")
        database = EmbeddedDatabase(settings.database_folder).url()
        passport = Passport(path, base, database, passwords, self._simulators.values())
        passport.remove()  # that of a demonstration that was killed
        return passport

    def _tell(self, what: str, where: str) -> None:
        self._board.started(what, where, time.monotonic() - self._begun)

    # --- playing ------------------------------------------------------------------------------------------------------

    def _play(self, passport: Passport, passwords: dict[str, str]) -> None:
        """Beside the processes: wait until they answer, play, and say how to go on."""
        try:
            self._await_processes(passport)
            if self._stories:
                self._play_stories(passport.facts["wsdl"], passwords)
            if not self._stopping.is_set():
                self._conclude(passport)
        except BaseException as problem:  # the terminal may be gone: nothing must go on unseen
            if self._stopping.is_set():
                return
            self.failed = True
            self.stop()
            self._board.say(f"✗ {problem or type(problem).__name__}", "bold red")

    def _await_processes(self, passport: Passport) -> None:
        """Until the web server answers with all its processes. Raises StoryFailed."""
        assert self._serving is not None
        expected = {"web", "web-worker-1", "web-worker-2", "worker-1", "database"}
        deadline = time.monotonic() + READY_SECONDS
        while not (self._ready.is_set() and expected <= self._serving.pids.keys()):
            if time.monotonic() > deadline:
                raise StoryFailed(f"The gateway does not answer after {READY_SECONDS:.0f} s: read why in {self._log}")
            if self._stopping.wait(0.05):
                raise StoryFailed("Stopped.")
        passport.write(self._serving.pids)
        self._tell("gateway", f"{self._serving.endpoint}, 2 processes that serve, 1 that delivers")

    def _play_stories(self, wsdl: str, passwords: dict[str, str]) -> None:
        callers = {name: Caller(name, password, wsdl, HOSPITAL_CODE) for name, password in passwords.items()}
        stage = Stage(callers, self._simulators, self._board)
        for number, story in enumerate(STORIES, 1):
            for simulator in self._simulators.values():
                simulator.start()  # those a failed story has left switched off
            if self._stopping.is_set():
                return
            with self._board.story(number, story.title, story.chinese):
                story.play(stage)
        for caller in callers.values():
            caller.close()

    def _conclude(self, passport: Passport) -> None:
        if self._board.results:
            self._board.table(time.monotonic() - self._begun)
        self.failed = self.failed or self._board.failed
        if self.failed:
            self._board.say(f"The log of the gateway is {self._log}.")
        if self.failed or not self._stay:
            self.stop()
            return
        self._board.addresses(
            {
                "SOAP address": passport.facts["soap"],
                "WSDL": passport.facts["wsdl"],
                "page for IT staff": passport.facts["console"],
                "everything else": str(passport.path),
            }
        )


def _usable(port: int | None) -> int:
    """The port asked for, else the first free one from FIRST_PORT. Raises DemoRefused."""
    if port == 0:
        return free_port()
    for candidate in range(FIRST_PORT, LAST_PORT + 1) if port is None else (port,):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", candidate))
            except PermissionError:
                raise DemoRefused(f"Port {candidate} needs rights you do not have: choose one above 1023.") from None
            except OSError:
                continue
            return candidate
    which = f"Port {port} is" if port is not None else f"The ports {FIRST_PORT} to {LAST_PORT} are"
    raise DemoRefused(f"{which} in use: choose another one with --port, or 0 for any.")
