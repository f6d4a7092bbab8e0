"""One running gateway for all toolkits, and for all workers of the test run."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from running_gateway import Site, start, stop


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """`gateway demo --no-stories`; the first worker that needs it starts it, the last one that used it stops it."""
    base, name = tmp_path_factory.getbasetemp(), os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    note = shared / "interop-folder"
    with (shared / "interop-use.lock").open("w") as use, (shared / "interop.lock").open("w") as alone:
        fcntl.flock(alone, fcntl.LOCK_EX)
        fcntl.flock(use, fcntl.LOCK_SH)
        if not note.exists():
            # Not below `shared`: the system user that runs the database for root could not get there.
            note.write_text(tempfile.mkdtemp(prefix="hospital-gateway-interop-"))
            start(Path(note.read_text()))
        folder = Path(note.read_text())
        fcntl.flock(alone, fcntl.LOCK_UN)
        yield Site(json.loads((folder / "demo.json").read_text()), int(name.removeprefix("gw")))
        fcntl.flock(alone, fcntl.LOCK_EX)
        try:
            fcntl.flock(use, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        stop(folder)
