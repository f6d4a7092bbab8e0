"""Commands about the database: bring its tables up to date; start, stop and find the embedded one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from gateway import migrate
from gateway.cli.terminal import HERE, WRONG, Failure, Folder, note, plain_table, say, show
from gateway.config import Settings, load_settings
from gateway.database.embedded import EmbeddedDatabase, libpq_url
from gateway.site import database_url
from gateway.storage import months


def add_to(app: typer.Typer) -> None:
    app.command("migrate")(migrate_tables)
    group = typer.Typer(no_args_is_help=True, help="The embedded database, when the site has no other.")
    group.command("start")(start)
    group.command("stop")(stop)
    group.command("url")(url)
    app.add_typer(group, name="db")


def migrate_tables(
    show_plan: Annotated[bool, typer.Option("--plan", help="Only show what there is to do.")] = False,
    folder: Folder = HERE,
) -> None:
    """Bring the tables to the form this version needs; `gateway serve` does it by itself."""
    address = database_url(load_settings(folder))
    if show_plan:
        _show_plan(migrate.plan(address))
    else:
        revision = migrate.upgrade(address, whole=True)
        months.prepare(address, datetime.now(UTC))
        say(f"The tables are at revision {revision}.")


def _show_plan(plan: migrate.Plan) -> None:
    """The steps that are still to be run, and what one of them waits for."""
    table = plain_table("STEP", "KIND", "OLDEST RELEASE AFTERWARDS", "ABOUT")
    for step in plan.pending:
        kind, oldest = ("expand", "as before") if step.floor is None else ("contract", f"of revision {step.floor}")
        table.add_row(step.revision, kind, oldest, step.about)
    if plan.pending:
        show(table)
    else:
        say(f"The tables are at revision {plan.present}: there is nothing to do.")
    if plan.held_up is not None:
        note(str(plan.held_up))


def start(folder: Folder = HERE) -> None:
    """Start the embedded database and leave it running, for work on it while the gateway is stopped."""
    database = _embedded(folder)
    database.start()
    say(f"The embedded database is running (process {database.pid()}).")


def stop(folder: Folder = HERE) -> None:
    """Stop the embedded database; stop `gateway serve` before, which would start it again."""
    say("The embedded database has stopped." if _embedded(folder).stop() else "The embedded database was not running.")


def url(folder: Folder = HERE) -> None:
    """The address of the database without its password, for psql and backups.

    The password of the embedded one stands in a file: PGPASSWORD="$(cat FOLDER/database/postgresql/password)".
    """
    say(libpq_url(without_password(database_url(load_settings(folder)))))


def without_password(address: str) -> str:
    """The same address with the user's name alone."""
    head, _, rest = address.partition("://")
    account, at, place = rest.rpartition("@") if "@" in rest.partition("/")[0] else ("", "", rest)
    return f"{head}://{account.partition(':')[0]}{at}{place}"


def _embedded(folder: Path) -> EmbeddedDatabase:
    settings: Settings = load_settings(folder)
    if settings.database_url is not None:
        raise Failure("This site has a database of its own (database_url): start and stop it where it runs.", WRONG)
    return EmbeddedDatabase(settings.database_folder)
