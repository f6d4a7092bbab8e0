"""A real MariaDB in a folder of its own, which a test may kill, stop and start again."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Engine, NullPool, create_engine, text

from gateway.simulators.process import free_port

PROGRAMS = ("mariadbd", "mariadb-install-db")
USER = "gateway"
PASSWORD = "s3cret-of-the-middle"
DATABASE = "middle"


def missing() -> str:
    """Why there is no MariaDB here; empty when there is."""
    absent = [name for name in PROGRAMS if _program(name) is None]
    return f"{', '.join(absent)} is not installed (apt install mariadb-server)" if absent else ""


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin")


class MariaDb:
    """One server; nobody else knows its folder."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="hospital-gateway-mariadb-"))
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.account = self._account()
        data = self.folder / "data"
        self._run(
            str(_program("mariadb-install-db")), "--no-defaults", f"--datadir={data}", "--skip-test-db",
            "--auth-root-authentication-method=normal", "--innodb-log-file-size=8M",
        )  # fmt: skip
        self.start()
        with self.admin(None).connect() as connection:
            for statement in (
                f"CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4",
                f"CREATE USER {USER}@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'",
                f"GRANT ALL ON {DATABASE}.* TO {USER}@'127.0.0.1'",
            ):
                connection.execute(text(statement))

    def start(self) -> None:
        command = [
            str(_program("mariadbd")), "--no-defaults", f"--datadir={self.folder / 'data'}",
            f"--socket={self.folder / 's'}", f"--port={self.port}", "--bind-address=127.0.0.1",
            f"--pid-file={self.folder / 'pid'}", "--innodb-buffer-pool-size=16M", "--innodb-log-file-size=8M",
            "--skip-name-resolve", "--performance-schema=OFF", f"--log-error={self.folder / 'log'}",
        ]  # fmt: skip
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL, **self.account)
        deadline = time.monotonic() + 60
        while True:
            with socket.socket(socket.AF_UNIX) as line, suppress(OSError):
                line.connect(str(self.folder / "s"))
                return
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise RuntimeError((self.folder / "log").read_text("utf-8", "replace")[-2000:])
            time.sleep(0.1)

    def kill(self) -> None:
        """As a machine that loses its power."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def pause(self) -> None:
        """It answers nothing any more, and its connections stay open."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def admin(self, database: str | None = DATABASE) -> Engine:
        url = f"mysql+pymysql://root@localhost/{database or ''}?unix_socket={self.folder / 's'}"
        return create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)

    @property
    def url(self) -> str:
        return f"mariadb://127.0.0.1:{self.port}/{DATABASE}"

    def remove(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.go_on()
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, *command: str) -> None:
        ran = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, **self.account)
        if ran.returncode != 0:
            raise RuntimeError(f"{command[0]} ended with {ran.returncode}:\n{ran.stdout.decode('utf-8', 'replace')}")

    def _account(self) -> dict[str, object]:
        """Not root: it refuses to run as root."""
        if os.getuid() != 0:
            return {}
        names = {entry.pw_name for entry in pwd.getpwall()}
        name = "mysql" if "mysql" in names else "nobody"
        shutil.chown(self.folder, name)
        return {"user": name, "group": pwd.getpwnam(name).pw_gid, "extra_groups": []}
