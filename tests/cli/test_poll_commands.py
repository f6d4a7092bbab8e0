"""`gateway poll` and `gateway partner ping` about partners that are only reached through their database."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from at_the_terminal import Command
from sqlalchemy import create_engine, delete, make_url, text

from gateway import cli
from gateway.model.poll import PollBookmark, PollRow, RowState
from gateway.store import make_sessions

EXAMPLE = Path(cli.__file__).parent.parent / "examples" / "partners" / "database-pacs"
NOW = datetime(2026, 11, 28, 1, 0, tzinfo=UTC)
PARTNER = """
dialect = "database"
url = "{url}"
username = "{username}"
password = "{password}"
[database]
tables = ["node_process", "{missing}"]
[[polls]]
name = "results"
table = "node_process"
operation = "PushCriticalValue"
stylesheet = "row.xsl"
key = "id"
columns = ["id", "node"]
start = "now"
mark = {{column = "kind"}}
"""


@pytest.fixture
def lab(site: Path, migrated: str) -> Path:
    """A laboratory whose table is read; it is one of the gateway's own here, which is as good."""
    url, place = make_url(migrated), site / "partners" / "LIS"
    query = "&".join(f"{key}={value}" for key, value in url.query.items())
    values = {"username": url.username, "password": url.password, "missing": "schema_floor"}
    values["url"] = f"postgresql://{url.host or ''}{f':{url.port}' if url.port else ''}/{url.database}?{query}"
    place.mkdir(parents=True, exist_ok=True)
    (place / "partner.toml").write_text(PARTNER.format(**values), encoding="utf-8")
    (place / "row.xsl").write_text(
        '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"/>', encoding="utf-8"
    )
    return place


@pytest.fixture
def rows(migrated: str, lab: Path):
    """Two parked rows of it, and how far it was read."""
    engine = create_engine(migrated)
    sessions = make_sessions(engine)
    common = {"partner": "LIS", "poll": "results", "version": "", "ahead": True, "tries": 1, "round": 0, "marked": True}
    with sessions.begin() as session:
        for key in ("7", "8"):
            session.add(
                PollRow(
                    row_key=key, position=f'["{key}"]', state=RowState.PARKED, code="SYS-400", words="Content: missing",
                    first_at=NOW, decided_at=NOW, **common,
                )
            )  # fmt: skip
        session.add(
            PollBookmark(partner="LIS", poll="results", position='["8"]', begun=True, started_at=NOW, looked_at=NOW)
        )
    yield sessions
    with sessions.begin() as session:
        session.execute(delete(PollRow))
        session.execute(delete(PollBookmark))
        session.execute(text("DELETE FROM alert"))
    engine.dispose()


def states(sessions) -> dict[str, str]:
    with sessions() as session:
        return {row.row_key: row.state for row in session.query(PollRow)}


def test_the_polls_are_listed_with_how_far_they_have_come(gateway: Command, lab: Path, rows):
    assert "results" in gateway("poll", "list").out
    said = gateway("poll", "status")
    assert said.code == 0
    assert "8" in said.out
    assert "2" in said.out


def test_parked_rows_are_listed_with_the_reason(gateway: Command, lab: Path, rows):
    said = gateway("poll", "parked")
    assert "Content: missing" in said.out
    assert "SYS-400" in said.out


def test_a_row_is_tried_again_and_another_given_up(gateway: Command, lab: Path, rows):
    assert gateway("poll", "retry", "LIS", "results", "7").code == 0
    assert gateway("poll", "skip", "LIS", "results", "8", "--reason", "a test").code == 0
    assert states(rows) == {"7": RowState.RETRY, "8": RowState.SKIPPED}
    with rows() as session:
        assert session.query(PollRow).filter_by(row_key="8").one().marked is False, "its mark is still to be written"


def test_the_mark_is_that_of_the_partner_s_own_poll(gateway: Command, lab: Path, site: Path, rows):
    other = site / "partners" / "ECG"
    shutil.copytree(lab, other)
    without = (lab / "partner.toml").read_text().replace('mark = {column = "kind"}', "")
    (other / "partner.toml").write_text(without)
    assert gateway("poll", "skip", "LIS", "results", "8", "--reason", "a test").code == 0
    with rows() as session:
        assert session.query(PollRow).filter_by(row_key="8").one().marked is False, "ECG's poll of that name has none"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("retry", "LIS", "results"), 2, "Name the keys of rows, or give --all."),
        (("retry", "LIS", "other", "7"), 2, "LIS has no poll other"),
        (("retry", "LIS", "results", "9"), 1, "No parked row of results has the key 9."),
        (("skip", "LIS", "results", "7"), 2, "--reason must say why."),
    ],
)
def test_what_is_not_parked_is_not_decided(gateway: Command, rows, arguments: tuple[str, ...], code: int, words: str):
    said = gateway("poll", *arguments)
    assert (said.code, words in said.err) == (code, True)
    assert set(states(rows).values()) == {RowState.PARKED}


def test_a_poll_that_cannot_be_read_is_told(gateway: Command, rows):
    with rows.begin() as session:
        session.query(PollBookmark).update({"failing_since": NOW, "trouble": "TABLE: gone"})
    said = gateway("poll", "status")
    assert said.code == 1
    assert "Cannot be read: results." in said.err


def test_a_database_is_pinged_by_looking_at_its_tables(gateway: Command, lab: Path):
    said = gateway("partner", "ping", "LIS")
    assert said.code == 0, said.err
    assert "postgresql" in said.out
    assert "poll results can read node_process" in said.out
    assert "password" not in said.out


def test_what_a_stylesheet_asks_of_tables_is_shown_by_check(gateway: Command, site: Path):
    shutil.copytree(EXAMPLE, site / "partners" / "RIS")
    (site / "partners" / "RIS" / "password").write_text("x")
    said = gateway("partner", "check", "RIS")
    assert said.code == 0, said.err
    assert "SubmitRequisition.request.xsl makes a request of its tables" in said.out
    assert '<merge table="EXAM_REQUEST">' in said.out


def test_a_missing_table_is_told_by_name(gateway: Command, lab: Path):
    toml = lab / "partner.toml"
    toml.write_text(toml.read_text().replace("schema_floor", "no_such_table"))
    said = gateway("partner", "ping", "LIS")
    assert said.code == 1
    assert "no_such_table" in said.out + said.err
