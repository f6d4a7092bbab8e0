"""One house for the tests of a module: its SYSTEMS and ROUTES; if there are any, further SETTINGS of gateway.toml, and
CHANGES of the examples' partner.toml by partner: text -> text, FACADES: name -> set that ships, settings, and
HL7: the clients whose pipes come over MLLP, with [[hl7.messages]] of their port."""

import uuid
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from gateway import migrate
from gateway.database.embedded import create_database, drop_database, libpq_url
from gateway.delivery import policy
from tests.simulators.vendors.house import House


@pytest.fixture(scope="session")
def _template(database_server: str) -> Iterator[str]:
    """A migrated database that others are copied from: that is quicker than to migrate each."""
    name = f"vendors_{uuid.uuid4().hex}"
    migrate.upgrade(create_database(database_server, name))
    yield name
    drop_database(database_server, name)


@pytest.fixture(scope="module")
def house(
    request: pytest.FixtureRequest, database_server: str, _template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    name, module = f"house_{uuid.uuid4().hex}", request.module
    with psycopg.connect(libpq_url(database_server), autocommit=True) as connection:
        copy = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        connection.execute(copy.format(sql.Identifier(name), sql.Identifier(_template)))
    url = urlsplit(database_server)._replace(path=f"/{name}").geturl()
    middle = create_database(database_server, f"middle_{uuid.uuid4().hex}")
    names = ("SETTINGS", "CHANGES", "FACADES", "HL7")
    settings, changes, facades, hl7 = (getattr(module, name, None) for name in names)
    folder = tmp_path_factory.mktemp("house")
    house = House(folder, url, module.SYSTEMS, module.ROUTES, settings or "", changes, facades, hl7, middle)
    with pytest.MonkeyPatch.context() as patched, house.open():
        patched.setattr(policy, "WAITS", (0.1, 0.2, 0.3))
        patched.setattr(policy, "SHORTEST_QUERY_WAIT", 0.1)
        yield house
    drop_database(database_server, name)
    drop_database(database_server, urlsplit(middle).path.strip("/"))
