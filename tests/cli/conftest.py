"""A site of one's own with a migrated database, and the command `gateway` as a person at the terminal uses it."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from at_the_terminal import Command, Piped, Said

from gateway import cli, migrate
from gateway.database.embedded import create_database, drop_database


@pytest.fixture
def gateway(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run a command in this process."""

    def run(*arguments: object, stdin: str = "") -> Said:
        monkeypatch.setattr("sys.stdin", Piped(stdin))
        capsys.readouterr()
        code = cli.run([str(argument) for argument in arguments])
        return Said(code, *capsys.readouterr())

    return run


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("GATEWAY_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def empty_site(tmp_path: Path, gateway: Command, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as `gateway init` makes it, with no database yet; commands find it without --folder."""
    assert gateway("init", "--folder", tmp_path / "site", "--hospital-code", "H1").code == 0
    monkeypatch.setenv("GATEWAY_FOLDER", str(tmp_path / "site"))
    return tmp_path / "site"


@pytest.fixture(scope="session")
def migrated(database_server: str) -> Iterator[str]:
    """A database with every table."""
    name = f"cli_{uuid.uuid4().hex}"
    url = create_database(database_server, name)
    migrate.upgrade(url)
    yield url
    drop_database(database_server, name)


@pytest.fixture
def site(empty_site: Path, migrated: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site whose database is there."""
    monkeypatch.setenv("GATEWAY_DATABASE_URL", migrated)
    return empty_site
