"""A rolling upgrade: two releases use the same tables for a while; what the older one needs stays until it is gone."""

import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, inspect, text

from gateway import migrate
from gateway.database.embedded import DatabaseError, create_database, drop_database

FIRST_OF_MANY_NODES = "0011"
NEWEST = migrate.newest()
EXPAND = """
def upgrade() -> None:
    op.add_column("requisition", sa.Column("colour", sa.Text(), nullable=True))
"""
CONTRACT = """
def upgrade() -> None:
    op.drop_column("requisition", "accession_no")
"""
Release = Callable[..., None]


@pytest.fixture
def url(database_server: str) -> Iterator[str]:
    """A database of the present release."""
    name = f"rolling_{uuid.uuid4().hex}"
    url = create_database(database_server, name)
    migrate.upgrade(url)
    yield url
    drop_database(database_server, name)


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Release:
    """Be a later release with further steps, or (without any) the present one."""

    def become(*bodies: tuple[str, str | None]) -> None:
        scripts = tmp_path / f"release-{len(bodies)}"
        shutil.copytree(migrate.SCRIPTS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
        before = NEWEST
        for number, (body, floor) in enumerate(bodies, 1):
            head = f"revision = 'later_{number}'\ndown_revision = '{before}'\nfloor = {floor!r}\n"
            what = f'"""Later step {number}."""\nimport sqlalchemy as sa\nfrom alembic import op\n'
            (scripts / "versions" / f"later_{number}.py").write_text(what + head + body)
            before = f"later_{number}"
        monkeypatch.setattr(migrate, "SCRIPTS", scripts)

    return become


def ask(url: str, statement: str, **values: object) -> object:
    engine = create_engine(url)
    with engine.begin() as connection:
        answer = connection.execute(text(statement), values)
        found = answer.scalar() if answer.returns_rows else None
    engine.dispose()
    return found


def fits(url: str) -> bool:
    engine = create_engine(url)
    found = migrate.fits(engine)
    engine.dispose()
    return found


def a_process_lives(url: str, revision: str, seconds_ago: int = 0) -> None:
    ask(
        url,
        "INSERT INTO node_process (node, kind, host, pid, version, revision, agreed, seen_at) VALUES"
        " ('gw2', 'web', 'gw2', 17, '0.1', :revision, '{}', now() - make_interval(secs => :ago))",
        revision=revision,
        ago=seconds_ago,
    )


def test_a_release_runs_on_against_tables_that_a_newer_one_has_expanded(url: str, release: Release, monkeypatch):
    present = migrate.SCRIPTS
    release((EXPAND, None))
    assert migrate.upgrade(url) == "later_1"
    monkeypatch.setattr(migrate, "SCRIPTS", present)
    assert fits(url)
    assert migrate.upgrade(url) == "later_1"
    assert migrate.plan(url).pending == ()


def test_a_release_that_needs_what_was_taken_away_is_refused_in_plain_words(url: str, release: Release, monkeypatch):
    present = migrate.SCRIPTS
    release((EXPAND, None), (CONTRACT, "later_1"))
    assert migrate.upgrade(url) == "later_2"
    assert ask(url, "SELECT revision FROM schema_floor") == "later_1"
    monkeypatch.setattr(migrate, "SCRIPTS", present)
    assert not fits(url)
    with pytest.raises(
        DatabaseError, match=r"newer gateway \(revision later_2\) and no longer have what this one needs"
    ):
        migrate.upgrade(url)


def test_a_step_that_takes_away_waits_for_the_processes_of_the_older_release(url: str, release: Release):
    a_process_lives(url, NEWEST)
    release((EXPAND, None), (CONTRACT, "later_1"))
    assert migrate.upgrade(url) == "later_1"
    assert fits(url)
    with pytest.raises(
        DatabaseError, match=r"needs?, and these are still alive: web 17 on gw2 \(version 0\.1\)\. Drain"
    ):
        migrate.upgrade(url, whole=True)
    assert "accession_no" in columns_of(url)["requisition"]


def test_it_is_run_once_they_are_gone(url: str, release: Release):
    a_process_lives(url, NEWEST, seconds_ago=migrate.ALIVE_SECONDS + 1)
    a_process_lives(url, "later_1")
    release((EXPAND, None), (CONTRACT, "later_1"))
    assert migrate.upgrade(url, whole=True) == "later_2"
    assert "accession_no" not in columns_of(url)["requisition"]


def test_what_is_needed_behind_a_step_that_has_to_wait_is_refused(url: str, release: Release):
    a_process_lives(url, NEWEST)
    release((CONTRACT, "later_1"), (EXPAND, None))
    with pytest.raises(DatabaseError, match="still alive"):
        migrate.upgrade(url)
    assert migrate.current(url) == NEWEST


def test_the_plan_names_the_steps_and_who_holds_one_up_and_changes_nothing(url: str, release: Release):
    a_process_lives(url, NEWEST)
    release((EXPAND, None), (CONTRACT, "later_1"))
    plan = migrate.plan(url)
    assert [(step.revision, step.floor) for step in plan.pending] == [("later_1", None), ("later_2", "later_1")]
    assert plan.held_up is not None
    assert plan.held_up.step.revision == "later_2"
    assert migrate.current(url) == NEWEST


# --- every step ------------------------------------------------------------------------------------------------------


def columns_of(url: str) -> dict[str, dict[str, dict[str, object]]]:
    engine = create_engine(url)
    with engine.connect() as connection:
        found = _columns(connection)
    engine.dispose()
    return found


def _columns(connection: Connection) -> dict[str, dict[str, dict[str, object]]]:
    looking = inspect(connection)
    return {
        table: {column["name"]: dict(column) for column in looking.get_columns(table)}
        for table in looking.get_table_names()
    }


def what_an_older_release_would_miss(before: dict, after: dict) -> list[str]:
    """In words; nothing when the step only expands."""
    found = []
    for table, columns in before.items():
        now = after.get(table, {})
        for name, column in columns.items():
            if name not in now:
                found.append(f"{table}.{name} is gone")
            elif str(now[name]["type"]) != str(column["type"]):
                found.append(f"{table}.{name} has another type")
            elif column["nullable"] and not now[name]["nullable"]:
                found.append(f"{table}.{name} must be given now")
        for name in now.keys() - columns.keys():
            new = now[name]
            if not (new["nullable"] or new["default"] or new.get("identity") or new.get("computed")):
                found.append(f"{table}.{name} is new and must be given")
    return found


def test_every_step_leaves_what_the_release_before_needs_or_says_that_it_takes_away(database_server: str):
    name = f"steps_{uuid.uuid4().hex}"
    url = create_database(database_server, name)
    places = [step.revision for step in migrate.steps()]
    for step in migrate.steps()[places.index(FIRST_OF_MANY_NODES) :]:
        with migrate._connection(url) as connection:
            migrate.command.upgrade(migrate._config(connection), places[places.index(step.revision) - 1])
            connection.commit()
            before = _columns(connection)
            migrate.command.upgrade(migrate._config(connection), step.revision)
            connection.commit()
            after = _columns(connection)
        missed = what_an_older_release_would_miss(before, after)
        if step.floor is None:
            assert missed == [], f"step {step.revision} must say with `floor` which releases it breaks"
        else:
            assert step.floor in places[: places.index(step.revision) + 1]
    drop_database(database_server, name)


@pytest.mark.parametrize(
    ("change", "missed"),
    [
        ("ALTER TABLE client_right RENAME TO rights", "client_right.client is gone"),
        ("ALTER TABLE client DROP COLUMN description", "client.description is gone"),
        ("ALTER TABLE client ALTER COLUMN description TYPE varchar(9)", "client.description has another type"),
        ("ALTER TABLE client ALTER COLUMN disabled_at SET NOT NULL", "client.disabled_at must be given now"),
        ("ALTER TABLE client ADD COLUMN x text NOT NULL", "client.x is new and must be given"),
    ],
)
def test_what_would_break_an_older_release_is_noticed(url: str, change: str, missed: str):
    before = columns_of(url)
    ask(url, change)
    assert missed in what_an_older_release_would_miss(before, columns_of(url))
