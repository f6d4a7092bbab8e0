"""The way into a partner's database: its pool, and one deadline over connecting and every statement of a visit."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.pool import QueuePool

from gateway.database_config import ADDRESS, KINDS
from gateway.partner_config import Partner
from gateway.partners.database.failures import DriverMissing, Misfit, OutOfTime, is_lost

EXTRAS = {"oracle": "oracle", "mssql": "sqlserver"}
"""Kind of database -> what the gateway is installed with to speak to it."""
APPLICATION = "hospital-gateway"
SPARE_SECONDS = 0.3
"""So much earlier than the deadline the database itself is to give up: it says what it waited for."""


@dataclass(slots=True)
class Visit:
    """One connection for a while. Nothing takes effect before `commit`."""

    connection: Connection
    deadline: float
    cut: bool = False
    """True once the deadline has passed and the connection was taken down."""
    may_be_done: str = ""
    """What may have taken effect although no answer came: COMMIT once it was asked for, CALL once a procedure runs."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def remaining(self) -> float:
        return self.deadline - time.monotonic()

    def commit(self) -> None:
        """Let everything take effect together."""
        self.may_be_done = "COMMIT"
        self.connection.commit()
        self.may_be_done = ""


class Door:
    """Made once per process and partner, for any number of threads; connects at the first visit."""

    def __init__(self, partner: Partner) -> None:
        self._partner = partner
        self._engine: Engine | None = None
        self._making = threading.Lock()
        self.kind = kind_of(str(partner.url))

    @property
    def engine(self) -> Engine:
        """Raises DriverMissing or Misfit."""
        with self._making:
            if self._engine is None:
                self._engine = make_engine(self._partner)
            return self._engine

    @contextmanager
    def visit(self, seconds: float) -> Iterator[Visit]:
        """A connection in a transaction, undone at the end unless it was committed, and taken down at the deadline.

        A connection of the pool that has died meanwhile is replaced once, before anything is done with it.
        """
        deadline = time.monotonic() + seconds
        for is_last in (False, True):
            with self.engine.connect() as connection:
                visit = Visit(connection, deadline)
                with self._watched(visit):
                    try:
                        _set_limits(self.kind, visit)
                    except DBAPIError as problem:
                        if visit.cut:
                            raise OutOfTime from None
                        if is_last or not is_lost(problem, self.kind):
                            raise
                        connection.invalidate()
                        continue
                    yield visit
                    return

    @contextmanager
    def _watched(self, visit: Visit) -> Iterator[None]:
        watch = threading.Timer(max(visit.remaining(), 0), _cut, (self.kind, visit))
        watch.daemon = True
        watch.start()
        try:
            yield
        finally:
            with visit.lock:
                watch.cancel()
            if visit.cut:
                visit.connection.invalidate()

    def close(self) -> None:
        if self._engine is not None:
            self._engine.dispose()


def kind_of(url: str) -> str:
    """postgresql, mysql, oracle or mssql."""
    found = ADDRESS.match(url.partition("://")[0])
    kind = found["kind"] if found else ""
    return "mysql" if kind == "mariadb" else kind


def make_engine(partner: Partner) -> Engine:
    """The pool of one partner. Values and passwords never stand in its errors."""
    url = make_url(str(partner.url))
    kind = url.get_backend_name()
    if url.drivername == kind:
        url = url.set(drivername=f"{kind}+{KINDS[kind]}")
    if partner.username is not None:
        url = url.set(username=partner.username)
    slots = partner.concurrency + partner.critical_concurrency + 1
    try:
        engine = create_engine(
            url,
            hide_parameters=True,
            poolclass=QueuePool,
            pool_size=slots,
            max_overflow=0,
            pool_timeout=partner.connect_seconds,
            pool_recycle=1800,
            pool_use_lifo=True,
            connect_args=_connect_arguments(url.get_driver_name(), partner),
        )
    except ModuleNotFoundError as problem:
        raise DriverMissing(_missing(partner, str(problem.name), kind_of(str(partner.url)))) from None
    except (ArgumentError, NoSuchModuleError):
        raise Misfit("ADDRESS", f"{partner.name}: SQLAlchemy knows no driver for {url.drivername}.") from None
    if partner.password is not None:
        event.listen(engine, "do_connect", _with_password(partner.password))
    return engine


def _with_password(secret: SecretStr) -> Callable[..., None]:
    """Asked for each time, so that a changed file of a password needs no restart."""

    def sign_in(dialect: Any, record: Any, arguments: Any, named: dict[str, Any]) -> None:
        named["password"] = secret.get_secret_value()

    return sign_in


def _missing(partner: Partner, module: str, kind: str) -> str:
    extra = EXTRAS.get(kind)
    how = f'pip install "hospital-gateway[{extra}]"' if extra else f"pip install {module}"
    return f"{partner.name}: the driver {module} is not installed: {how}."


def _connect_arguments(driver: str, partner: Partner) -> dict[str, Any]:
    """Time-outs as each driver wants them; the deadline of a visit is kept beside them."""
    connect, total = partner.connect_seconds, partner.total_seconds
    if driver == "psycopg":
        return {
            "connect_timeout": max(int(connect + 0.999), 2),
            "application_name": APPLICATION,
            "tcp_user_timeout": int(total * 1000),
            "keepalives_idle": 30,
        }
    if driver == "pymysql":
        return {"connect_timeout": connect, "read_timeout": total, "write_timeout": total}
    if driver == "oracledb":
        return {"tcp_connect_timeout": connect, "expire_time": 1}
    if driver == "pymssql":
        whole = max(int(total + 0.999), 1)
        return {"login_timeout": max(int(connect + 0.999), 1), "timeout": whole, "appname": APPLICATION}
    return {}


def _set_limits(kind: str, visit: Visit) -> None:
    """Let the database itself give up before we do, and cut no text silently."""
    left = max(visit.remaining() - SPARE_SECONDS, 0.1)
    driver = visit.connection.exec_driver_sql
    if kind == "postgresql":
        thousand = int(left * 1000)
        driver(f"SET LOCAL statement_timeout = {thousand}; SET LOCAL lock_timeout = {max(thousand * 2 // 3, 50)}")
    elif kind == "mysql":
        mariadb = getattr(visit.connection.dialect, "is_mariadb", False)
        own = f", max_statement_time = {left:.2f}" if mariadb else f", max_execution_time = {int(left * 1000)}"
        strict = "sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')"
        driver(f"SET SESSION innodb_lock_wait_timeout = {max(int(left), 1)}{own}, {strict}")
    elif kind == "mssql":
        driver(f"SET LOCK_TIMEOUT {int(left * 1000)}")
    elif kind == "oracle":
        original: Any = visit.connection.connection.driver_connection
        original.call_timeout = max(int(visit.remaining() * 1000), 1)
        driver("SELECT 1 FROM DUAL")


def _cut(kind: str, visit: Visit) -> None:
    """Take the connection down, so that whoever waits for the database waits no longer."""
    with visit.lock:
        visit.cut = True
        with suppress(Exception):
            original: Any = visit.connection.connection.driver_connection
            if kind == "postgresql":
                with socket.socket(fileno=os.dup(original.pgconn.socket)) as line:
                    line.shutdown(socket.SHUT_RDWR)
            elif kind == "mysql":
                original._sock.shutdown(socket.SHUT_RDWR)
