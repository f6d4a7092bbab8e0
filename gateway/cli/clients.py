"""Commands about the systems that may call: who they are, what each may do, and their passwords."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.orm import Session

from gateway.cli.records import policy_in_words, record_policy
from gateway.cli.terminal import HERE, WRONG, Failure, Folder, note, plain_table, read_password, say, show
from gateway.config import load_settings
from gateway.contract import Contract
from gateway.model.client import SpecialRight
from gateway.model.record import RecordPolicy
from gateway.security import clients as registry
from gateway.security import record_rights
from gateway.security.secrets import Secrets
from gateway.site import audit, database_session

Name = Annotated[str, typer.Argument(metavar="NAME", help="Its user name, which is the SenderCode of its messages.")]
Rights = Annotated[
    list[str],
    typer.Option("--right", metavar="RIGHT", help="An operation or a special right; may be given several times."),
]
AllOperations = Annotated[bool, typer.Option("--all-operations", help="Every operation of the contract.")]
FromStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


def add_to(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Who may call the gateway, and what each may do.")
    group.command("add")(add)
    group.command("list")(list_clients)
    group.command("show")(show_client)
    group.command("grant")(grant)
    group.command("revoke")(revoke)
    group.command("disable")(disable)
    group.command("enable")(enable)
    group.command("password")(password)
    group.command("record-policy")(record_policy)
    app.add_typer(group, name="client")


def add(
    name: Name,
    right: Rights = [],  # noqa: B006 - how Typer is told
    all_operations: AllOperations = False,
    digest: Annotated[bool, typer.Option("--digest", help="It proves itself by a WS-Security digest.")] = False,
    description: Annotated[str, typer.Option(help="For your own list.")] = "",
    password_stdin: FromStdin = False,
    folder: Folder = HERE,
) -> None:
    """Let a system call the gateway. A generated password is shown this once only."""
    operations = _operations()
    given = read_password() if password_stdin else None
    rights = sorted({*right, *(operations if all_operations else ())})
    with _change(folder, "CLIENT_ADD", name, rights) as (session, secrets):
        made = registry.add_client(
            session,
            name,
            rights=rights,
            operations=operations,
            password=given,
            allow_digest=digest,
            secrets=secrets,
            description=description,
        )
    note(f"Client {name} may call from now on." + ("" if given else " Its password, shown this once only:"))
    if given is None:
        say(made)


def list_clients(folder: Folder = HERE) -> None:
    """All clients with their rights."""
    table = plain_table("CLIENT", "STATE", "DIGEST", "SINCE", "RIGHTS", "RECORDS", "DESCRIPTION")
    settings = load_settings(folder)
    with database_session(settings) as session:
        policies = record_rights.policies(session)
        for entry in registry.list_clients(session):
            state = "disabled" if entry.disabled_at else "may call"
            since = f"{entry.created_at.astimezone(settings.zone):%Y-%m-%d}"
            rights = ", ".join(entry.rights) or "none"
            records = policy_in_words(policies[entry.name]) if entry.name in policies else ""
            digest = "yes" if entry.digest_allowed else "no"
            table.add_row(entry.name, state, digest, since, rights, records, entry.description)
    show(table)


def show_client(name: Name, folder: Folder = HERE) -> None:
    """One client: its rights, and what it may read of records."""
    settings = load_settings(folder)
    with database_session(settings) as session:
        entry = next((one for one in registry.list_clients(session) if one.name == name), None)
        if entry is None:
            raise Failure(f"There is no client {name!r}.")
        policy = record_rights.policies(session).get(name) or RecordPolicy.default(name)
    say(f"Client: {name}, {'disabled' if entry.disabled_at else 'may call'}. {entry.description}")
    say(f"Rights: {', '.join(entry.rights) or 'none'}.")
    say(f"Records: {policy_in_words(policy)}.")


def grant(name: Name, right: Rights = [], all_operations: AllOperations = False, folder: Folder = HERE) -> None:  # noqa: B006 - how Typer is told
    """Allow a client more, beside what it may do already."""
    operations = _operations()
    rights = _some(right, operations if all_operations else ())
    with _change(folder, "CLIENT_GRANT", name, rights) as (session, _):
        registry.grant(session, name, rights, operations=operations)
    say(f"Client {name} may now also: {', '.join(rights)}.")


def revoke(name: Name, right: Rights = [], all_operations: AllOperations = False, folder: Folder = HERE) -> None:  # noqa: B006 - how Typer is told
    """Take rights from a client; running processes refuse it within two seconds."""
    operations = _operations()
    rights = _some(right, operations if all_operations else ())
    with _change(folder, "CLIENT_REVOKE", name, rights) as (session, _):
        registry.revoke(session, name, rights, operations=operations)
    say(f"Client {name} may no longer: {', '.join(rights)}.")


def disable(name: Name, folder: Folder = HERE) -> None:
    """Refuse a client from now on; its rights are kept."""
    with _change(folder, "CLIENT_DISABLE", name) as (session, _):
        registry.disable(session, name)
    say(f"Client {name} is refused from now on.")


def enable(name: Name, folder: Folder = HERE) -> None:
    """Let a disabled client call again."""
    with _change(folder, "CLIENT_ENABLE", name) as (session, _):
        registry.enable(session, name)
    say(f"Client {name} may call again.")


def password(
    name: Name,
    digest: Annotated[
        bool | None, typer.Option("--digest/--no-digest", help="Whether a digest is allowed; as before when not said.")
    ] = None,
    password_stdin: FromStdin = False,
    folder: Folder = HERE,
) -> None:
    """Give a client a new password. A generated one is shown this once only."""
    given = read_password() if password_stdin else None
    with _change(folder, "CLIENT_PASSWORD", name) as (session, secrets):
        made = registry.set_password(session, name, given, allow_digest=digest, secrets=secrets)
    note(f"Client {name} has a new password" + ("." if given else ", shown this once only:"))
    if given is None:
        say(made)


def _operations() -> list[str]:
    return [operation.name for operation in Contract().operations]


def _some(right: list[str], operations: list[str] | tuple[()]) -> list[str]:
    rights = [*right, *operations]
    if not rights:
        special = ", ".join(SpecialRight)
        raise Failure(f"Say which right: --right with an operation or one of {special}; or --all-operations.", WRONG)
    return rights


@contextmanager
def _change(folder: Path, action: str, name: str, rights: Sequence[str] = ()) -> Iterator[tuple[Session, Secrets]]:
    """A transaction on the site's database with its audit entry, committed when all went well; and the keys."""
    settings = load_settings(folder)
    secrets = Secrets.from_file(settings.key_file)
    with database_session(settings) as session:
        yield session, secrets
        audit(session, action, f"client {name}", ", ".join(rights) or None)
        session.commit()
