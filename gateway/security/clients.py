"""Registering the systems that may call: add, list, grant, revoke, disable, enable, new password.

Each function works in the session it is given and leaves the commit to its caller. What cannot be done is said in one
line (`ClientError`). Running processes notice a change within two seconds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from gateway.model.client import CLIENT_NAME, Client, SpecialRight
from gateway.security.passwords import (
    LONGEST,
    SHORTEST,
    SHORTEST_FOR_DIGEST,
    generate_password,
    hash_password,
    password_is_acceptable,
)
from gateway.security.secrets import Secrets, SecretUnreadable

_LONGEST_DESCRIPTION = 200


class ClientError(Exception):
    """A request about clients that cannot be fulfilled; the text is one line for the person at the terminal."""


@dataclass(frozen=True, slots=True)
class ClientEntry:
    """A client as a list shows it."""

    name: str
    rights: tuple[str, ...]
    digest_allowed: bool
    created_at: datetime
    disabled_at: datetime | None
    description: str


def add_client(
    session: Session,
    name: str,
    *,
    rights: Iterable[str] = (),
    operations: Collection[str],
    password: str | None = None,
    allow_digest: bool = False,
    secrets: Secrets | None = None,
    description: str = "",
    now: datetime | None = None,
) -> str:
    """Register a client; returns its password, which is generated if none is given and is shown this once only."""
    if not CLIENT_NAME.fullmatch(name):
        raise ClientError("a client's name has 1 to 20 visible ASCII characters and no colon")
    if len(description) > _LONGEST_DESCRIPTION or not description.isprintable():
        raise ClientError(f"a description has at most {_LONGEST_DESCRIPTION} characters on one line")
    if session.get(Client, name):
        raise ClientError(f"client {name} exists already")
    granted = _known_rights(rights, operations)
    client = Client(name=name, description=description, created_at=now or datetime.now(UTC))
    password = _give_password(client, password, secrets, allow_digest)
    for right in granted:
        client.grant(right)
    session.add(client)
    session.flush()
    return password


def list_clients(session: Session) -> list[ClientEntry]:
    """All clients by name, also the disabled ones."""
    query = select(Client).options(selectinload(Client.rights)).order_by(Client.name)
    return [
        ClientEntry(
            name=client.name,
            rights=tuple(held.right for held in client.rights),
            digest_allowed=client.digest_secret is not None,
            created_at=client.created_at,
            disabled_at=client.disabled_at,
            description=client.description,
        )
        for client in session.scalars(query)
    ]


def grant(session: Session, name: str, rights: Iterable[str], *, operations: Collection[str]) -> None:
    """Allow the client these operations and special rights, beside what it may do already."""
    client = _find(session, name)
    for right in _known_rights(rights, operations):
        client.grant(right)
    session.flush()


def revoke(session: Session, name: str, rights: Iterable[str], *, operations: Collection[str]) -> None:
    """Take these rights from the client; also one that no longer exists but is still held."""
    client = _find(session, name)
    held = {right.right for right in client.rights}
    for right in _known_rights(rights, [*operations, *held]):
        client.revoke(right)
    session.flush()


def disable(session: Session, name: str, *, now: datetime | None = None) -> None:
    """Refuse the client from now on; its rights are kept. The time of the first disabling stays."""
    client = _find(session, name)
    client.disabled_at = client.disabled_at or now or datetime.now(UTC)
    session.flush()


def enable(session: Session, name: str) -> None:
    """Let a disabled client call again."""
    _find(session, name).disabled_at = None
    session.flush()


def set_password(
    session: Session,
    name: str,
    password: str | None = None,
    *,
    allow_digest: bool | None = None,
    secrets: Secrets | None = None,
) -> str:
    """Give the client a new password and return it; whether a digest is allowed stays as it is unless said."""
    client = _find(session, name)
    digest = client.digest_secret is not None if allow_digest is None else allow_digest
    password = _give_password(client, password, secrets, digest)
    session.flush()
    return password


def renew_secrets(session: Session, secrets: Secrets) -> int:
    """Encrypt every stored secret with the newest key, so that older keys can be dropped; returns how many."""
    clients = session.scalars(select(Client).where(Client.digest_secret.is_not(None)).with_for_update()).all()
    for client in clients:
        try:
            client.digest_secret = secrets.renew(client.digest_secret or b"")
        except SecretUnreadable:
            raise ClientError(f"no key of the key file opens the digest secret of client {client.name}") from None
    session.flush()
    return len(clients)


def unreadable_secrets(session: Session, secrets: Secrets) -> tuple[int, list[str]]:
    """How many digest secrets are kept, and whose these keys do not open."""
    query = select(Client.name, Client.digest_secret).where(Client.digest_secret.is_not(None)).order_by(Client.name)
    rows = session.execute(query).all()
    return len(rows), [name for name, secret in rows if not secrets.opens(secret or b"")]


def _find(session: Session, name: str) -> Client:
    """The client, held until the session ends, so that two changes at once follow one another."""
    client = session.get(Client, name, with_for_update=True) if CLIENT_NAME.fullmatch(name) else None
    if client is None:
        raise ClientError(f"there is no client {name!r}")
    return client


def _known_rights(rights: Iterable[str], operations: Collection[str]) -> list[str]:
    known = sorted({*operations, *map(str, SpecialRight)})
    wanted = sorted({str(right) for right in rights})
    unknown = [right for right in wanted if right not in known]
    if unknown:
        raise ClientError(f"unknown right {', '.join(map(repr, unknown))}; there are: {', '.join(known)}")
    return wanted


def _give_password(client: Client, password: str | None, secrets: Secrets | None, allow_digest: bool) -> str:
    if allow_digest and secrets is None:
        raise ClientError("a client with a digest needs the key file")
    password = generate_password() if password is None else password
    if not password_is_acceptable(password, for_digest=allow_digest):
        shortest = SHORTEST_FOR_DIGEST if allow_digest else SHORTEST
        raise ClientError(f"the password must have {shortest} to {LONGEST} visible characters and no space at its ends")
    client.password_hash = hash_password(password)
    client.digest_secret = secrets.encrypt(password) if allow_digest and secrets else None
    return password
