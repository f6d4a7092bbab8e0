"""Partners that are only reached through their database: a real PostgreSQL and a real MariaDB."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, make_url, text

from emptying import clear
from gateway.database.embedded import create_database, drop_database
from gateway.operations.dispatch import Origin, PartnerAnswer
from gateway.partner_config import Partner
from gateway.partners.addressing import Stamp
from gateway.partners.registry import Partners
from hospital import Hospital
from tests.partners.database import mariadb
from tests.partners.fake_partner import CONTRACT, WIRE, sample

ORIGIN = Origin("T1", "44643245-7", "01", "PACS", "PACS-1")
BEIJING = timezone(timedelta(hours=8))


@dataclass
class Middle:
    """A database between two systems: what the gateway needs to reach it, and the partner's own look at it."""

    url: str
    username: str
    password: str
    own: Engine
    folder: Path
    server: Any = None
    settings: dict[str, Any] = field(default_factory=dict)
    open: list[Partners] = field(default_factory=list)

    @property
    def is_mariadb(self) -> bool:
        return self.server is not None

    def run(self, *statements: str) -> None:
        """What the partner's people do there."""
        with self.own.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.own.connect() as connection:
            return [tuple(row) for row in connection.execute(text(query)).all()]

    def stylesheet(self, body: str, name: str = "request.xsl") -> None:
        """A stylesheet whose one template for / holds this."""
        (self.folder / name).write_text(
            '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"'
            ' xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">'
            f'<xsl:template match="/">{body}</xsl:template></xsl:stylesheet>',
            encoding="utf-8",
        )

    def partner(self, operations: dict[str, Any] | None = None, **settings: Any) -> Partner:
        given = {
            "name": "PACS",
            "dialect": "database",
            "url": self.url,
            "username": self.username,
            "password": self.password,
            "folder": self.folder,
            "operations": operations or {},
        }
        return Partner(**(given | self.settings | settings))

    def send(
        self, operation: str = "ChargeItem", *, message_id: str = "GW-1", seconds: float = 30, request: Any = None,
        partner: Partner | None = None,
    ) -> PartnerAnswer:  # fmt: skip
        """Send a sample by the stylesheet request.xsl, or to a partner made before."""
        partners = self.partners(partner or self.partner({operation: {"request": "request.xsl"}}))
        return partners.call("PACS", operation, request or sample(operation), Stamp(message_id, ORIGIN), seconds)

    def partners(self, partner: Partner) -> Partners:
        """The gateway's way to the partner, closed when the test ends."""
        found = Partners([partner], CONTRACT, WIRE, lambda: datetime.now(UTC).astimezone(BEIJING))
        self.open.append(found)
        return found

    def close(self) -> None:
        for partners in self.open:
            partners.close()
        self.own.dispose()


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[mariadb.MariaDb]:
    if reason := mariadb.missing():
        pytest.skip(reason)
    server = mariadb.MariaDb()
    yield server
    server.remove()


@pytest.fixture
def mariadb_middle(mariadb_server: mariadb.MariaDb, tmp_path: Path) -> Iterator[Middle]:
    """An empty database of a MariaDB."""
    server = mariadb_server
    admin = server.admin(None)
    with admin.connect() as connection:
        connection.execute(text("DROP DATABASE IF EXISTS middle"))
        connection.execute(text("CREATE DATABASE middle CHARACTER SET utf8mb4"))
    admin.dispose()
    found = Middle(server.url, mariadb.USER, mariadb.PASSWORD, server.admin(), tmp_path, server)
    yield found
    found.close()


@pytest.fixture
def postgresql_middle(database_server: str, tmp_path: Path) -> Iterator[Middle]:
    """An empty database of a PostgreSQL."""
    name = f"middle_{uuid.uuid4().hex[:12]}"
    url = make_url(create_database(database_server, name))
    own = create_engine(url, isolation_level="AUTOCOMMIT")
    address = f"postgresql://{url.host or ''}{f':{url.port}' if url.port else ''}/{name}"
    query = "&".join(f"{key}={value}" for key, value in url.query.items())
    found = Middle(f"{address}?{query}", str(url.username), str(url.password or ""), own, tmp_path)
    yield found
    found.close()
    drop_database(database_server, name)


@pytest.fixture(params=["postgresql", "mariadb"])
def middle(request: pytest.FixtureRequest) -> Middle:
    """Each of the two in turn."""
    found: Middle = request.getfixturevalue(f"{request.param}_middle")
    return found


@pytest.fixture
def hospital(engine: Engine) -> Hospital:
    """The gateway's own rules, on an empty database of its own."""
    clear(engine)
    return Hospital(engine)
