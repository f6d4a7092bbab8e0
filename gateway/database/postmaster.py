"""The process that runs a database: finding it by its data folder, ending it, clearing up after its sudden death."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from gateway.database.errors import DatabaseError


def postmaster_pid(data: Path) -> int | None:
    """The process that runs this data; None when none does."""
    pid = _noted_pid(data)
    return pid if pid is not None and is_postmaster(pid, data) else None


def is_postmaster(pid: int, data: Path) -> bool:
    """Whether this process runs this data: not a stranger with a dead one's number, nor a dead one not yet fetched."""
    if not Path("/proc/self/cmdline").exists():
        return _exists(pid)
    with suppress(FileNotFoundError, ProcessLookupError):
        return os.fsencode(data) in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return False


def is_ready(data: Path) -> bool:
    """Whether the postmaster has said that it takes connections."""
    noted = _notes(data)
    return len(noted) >= 8 and noted[7].strip() == "ready"


def halt(pid: int, data: Path) -> None:
    """A fast shutdown; after a minute an immediate one, from which the next start recovers all that was committed."""
    for order, patience in ((signal.SIGINT, 60.0), (signal.SIGQUIT, 10.0)):
        with suppress(ProcessLookupError):
            os.kill(pid, order)
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if not is_postmaster(pid, data):
                return
            time.sleep(0.05)
    raise DatabaseError(f"The embedded database does not stop: end process {pid} by hand.")


def clear_stale_notes(data: Path, socket: Path) -> None:
    """Remove the notes of a dead postmaster whose number another process now has (after a reboot, in a container).

    PostgreSQL would refuse to start; all other left-over notes it clears up itself.
    """
    pid = _noted_pid(data)
    if pid is not None and _exists(pid) and not is_postmaster(pid, data):
        (data / "postmaster.pid").unlink(missing_ok=True)
        socket.with_name(f"{socket.name}.lock").unlink(missing_ok=True)


def _notes(data: Path) -> list[str]:
    """What the postmaster wrote about itself: its number first, its state on the eighth line."""
    try:
        return (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


def _noted_pid(data: Path) -> int | None:
    noted = _notes(data)
    return int(noted[0]) if noted and noted[0].isdigit() else None


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
