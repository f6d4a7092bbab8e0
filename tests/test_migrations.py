"""The tables a site gets by migration are those the program works with, however many processes start at once."""

import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, inspect, text

from gateway import migrate
from gateway.database.embedded import DatabaseError, create_database, drop_database


@pytest.fixture
def url(database_server: str) -> Iterator[str]:
    """An empty database."""
    name = f"migrations_{uuid.uuid4().hex}"
    yield create_database(database_server, name)
    drop_database(database_server, name)


def ask(url: str, statement: str) -> object:
    engine = create_engine(url)
    with engine.begin() as connection:
        answer = connection.execute(text(statement))
        found = answer.scalar() if answer.returns_rows else None
    engine.dispose()
    return found


def differences(url: str) -> list[object]:
    engine = create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=migrate.MIGRATION_OPTIONS)
        found = compare_metadata(context, migrate.metadata())
    engine.dispose()
    return found


def tables(url: str) -> set[str]:
    engine = create_engine(url)
    found = set(inspect(engine).get_table_names())
    engine.dispose()
    return found


def test_the_migrated_tables_are_those_of_the_models(url: str):
    assert migrate.current(url) is None
    assert migrate.upgrade(url) == migrate.newest() == migrate.current(url)
    assert differences(url) == [], "a change of gateway/model/ has no migration: see gateway/migrations/__init__.py"


def test_a_forgotten_migration_would_be_noticed(url: str):
    migrate.upgrade(url)
    ask(url, "ALTER TABLE requisition DROP COLUMN accession_no")
    assert [difference[0] for difference in differences(url)] == ["add_column"]


def test_names_of_constraints_and_indexes_are_those_of_the_models(url: str, database_server: str):
    other = create_database(database_server, f"models_{uuid.uuid4().hex}")
    engine = create_engine(other)
    migrate.metadata().create_all(engine)
    engine.dispose()
    migrate.upgrade(url)
    names = (
        "SELECT array_agg(c.relname || ' ' || n.name || ' ' || n.def ORDER BY c.relname, n.name, n.def) FROM ("
        " SELECT conrelid AS rel, conname AS name, pg_get_constraintdef(oid) AS def FROM pg_constraint"
        " UNION ALL SELECT indrelid, indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index) n"
        " JOIN pg_class c ON c.oid = n.rel AND c.relnamespace = 'public'::regnamespace"
        " WHERE c.relname NOT LIKE 'procrastinate%' AND c.relname <> 'alembic_version' AND NOT c.relispartition"
    )
    assert ask(url, names) == ask(other, names)
    drop_database(database_server, other.rpartition("/")[2].partition("?")[0])


def test_going_back_leaves_nothing_and_forward_again_works(url: str):
    migrate.upgrade(url)
    migrate.downgrade(url, "base")
    assert tables(url) == {"alembic_version"}
    assert ask(url, "SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace") == 0
    assert ask(url, "SELECT count(*) FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typtype = 'e'") == 0
    assert migrate.upgrade(url) == migrate.newest()


def test_two_processes_that_start_at_once_migrate_once(url: str):
    program = "import sys; from gateway import migrate; print(migrate.upgrade(sys.argv[1]))"
    command = [sys.executable, "-W", "error", "-c", program, url]
    with ThreadPoolExecutor() as both:
        told = list(both.map(lambda _: subprocess.run(command, capture_output=True, text=True), range(2)))
    assert [one.stdout.strip() or one.stderr for one in told] == [migrate.newest()] * 2
    assert ask(url, "SELECT count(*) FROM alembic_version") == 1


def test_a_second_process_waits_for_the_first(url: str):
    engine = create_engine(url)
    with engine.connect() as first:
        first.execute(text("SELECT pg_advisory_lock(:key)"), {"key": migrate.LOCK})
        with pytest.raises(DatabaseError, match="wait until it has finished"):
            migrate.upgrade(url, wait_seconds=0.2)
    engine.dispose()
    assert migrate.upgrade(url) == migrate.newest()


def test_a_step_that_fails_leaves_nothing_behind(url: str):
    ask(url, "CREATE TABLE journal (word text)")
    with pytest.raises(DatabaseError, match=r"42P07.*nothing else may be in it"):
        migrate.upgrade(url)
    assert tables(url) - {"alembic_version"} == {"journal"}
    assert migrate.current(url) is None


def test_tables_of_a_newer_gateway_are_left_alone(url: str):
    migrate.upgrade(url)
    ask(url, "UPDATE alembic_version SET version_num = '9999'")
    ask(url, "UPDATE schema_floor SET revision = '9998'")
    with pytest.raises(DatabaseError, match=r"newer gateway \(revision 9999\)"):
        migrate.upgrade(url)
    assert migrate.current(url) == "9999"


def test_a_process_knows_whether_its_tables_are_there(url: str):
    engine = create_engine(url)
    assert not migrate.fits(engine)
    migrate.upgrade(url)
    assert migrate.fits(engine)
    engine.dispose()


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ("postgresql+psycopg://u:secret-p@127.0.0.1:1/x", "nothing answers at that address"),
        ("postgresql+psycopg://u:secret-p@/x?host=/nowhere", "it is not running"),
        ("postgresql+psycopg://u:secret-p@no-such-host.invalid/x", "its host name is unknown"),
        ("secret-p", "write it as postgresql://"),
    ],
)
def test_a_database_that_cannot_be_reached_is_said_in_one_line_without_its_password(wrong: str, reason: str):
    with pytest.raises(DatabaseError) as told:
        migrate.upgrade(wrong)
    assert reason in str(told.value)
    assert "secret-p" not in str(told.value)
    assert "\n" not in str(told.value)


def test_a_wrong_password_is_said_without_showing_it(url: str):
    head, _, rest = url.partition("://gateway:")
    if not rest:
        pytest.skip("only the embedded database has a role of that name")
    with pytest.raises(DatabaseError, match="refuses the user or password") as told:
        migrate.upgrade(f"{head}://gateway:wrong-p@{rest.partition('@')[2]}")
    assert "wrong-p" not in str(told.value)
