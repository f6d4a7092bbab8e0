"""`gateway migrate` and `gateway db`: the tables and the embedded database by hand."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from at_the_terminal import Command

from gateway.cli.database import without_password
from gateway.database.embedded import EmbeddedDatabase
from gateway.migrate import newest


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A site in a folder every user can pass through, so that its database stays in it."""
    folder = Path(tempfile.mkdtemp(prefix="gw-cli-"))
    folder.chmod(0o755)
    (folder / "gateway.toml").write_text('hospital_code = "H1"')
    monkeypatch.setenv("GATEWAY_FOLDER", str(folder))
    yield folder
    EmbeddedDatabase(folder / "database").remove()
    shutil.rmtree(folder)


def test_the_embedded_database_by_hand(gateway: Command, place: Path):
    assert "There is no database" in gateway("migrate").mistake
    assert "There is no database" in gateway("db", "url").mistake
    assert gateway("db", "stop").out == "The embedded database was not running.\n"
    assert gateway("db", "start").out.startswith("The embedded database is running (process ")
    assert gateway("migrate").out == f"The tables are at revision {newest()}.\n"
    url, password = gateway("db", "url").out.strip(), (place / "database" / "postgresql" / "password").read_text()
    assert password not in url
    with psycopg.connect(url, password=password) as connection:
        assert connection.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)
    assert gateway("db", "stop").out == "The embedded database has stopped.\n"
    assert gateway("client", "list").mistake == "The database cannot be reached: it is not running."


@pytest.mark.parametrize("command", ["start", "stop"])
def test_a_database_of_the_sites_own_is_not_ours_to_start(
    gateway: Command, place: Path, monkeypatch: pytest.MonkeyPatch, command: str
):
    monkeypatch.setenv("GATEWAY_DATABASE_URL", "postgresql://u:hidden@h/x")
    said = gateway("db", command)
    assert said.code == 2
    assert "This site has a database of its own" in said.mistake


@pytest.mark.parametrize(
    ("full", "shown"),
    [
        ("postgresql://u:p%40w@h:5432/x", "postgresql://u@h:5432/x"),
        ("postgresql://u@h/x", "postgresql://u@h/x"),
        ("postgresql://h/x", "postgresql://h/x"),
        ("postgresql://u:p@/x?host=%2Ftmp", "postgresql://u@/x?host=%2Ftmp"),
    ],
)
def test_an_address_is_shown_without_its_password(full: str, shown: str):
    assert without_password(full) == shown
