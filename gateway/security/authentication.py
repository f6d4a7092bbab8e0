"""Decides whether a caller is who it says to be, and knows what it may do.

Clients and their rights are read from the database at most every two seconds, so a client that was disabled, or lost a
right, is refused two seconds later at the latest, in every process. Whatever is wrong with a name or a password, the
answer is the same and takes the same time; the reason stands in the log, without name or password of an unknown caller.
"""

from __future__ import annotations

import hmac
import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NoReturn

from sqlalchemy import Engine, func, select

from gateway.errors import NotAllowed, NotAuthenticated, TooMany
from gateway.model.client import Client, ClientRight
from gateway.security.attempts import FailureLimit, ProvenPasswords
from gateway.security.credentials import Credentials
from gateway.security.nonces import CLOCK_SKEW, UsedNonces
from gateway.security.passwords import generate_password, hash_password, password_matches
from gateway.security.secrets import Secrets, SecretUnreadable
from gateway.security.username_token import UsernameToken

_log = logging.getLogger(__name__)

_LONGEST_WAIT = 5.0
"""Seconds a caller waits for its password to be checked, behind others."""


@dataclass(frozen=True, slots=True)
class AuthenticatedClient:
    """A caller whose identity is proven, and what it may do: nothing that is not among its rights."""

    name: str
    rights: frozenset[str]

    def may(self, right: str) -> bool:
        return right in self.rights

    def require(self, operation: str) -> None:
        """Refuse unless the client may call this operation."""
        if operation not in self.rights:
            raise NotAllowed(
                f"该用户未被授权调用 {operation}，请联系医院信息科。",
                f"This user may not call {operation}; ask the hospital's IT department for the right.",
            )


@dataclass(frozen=True, slots=True, repr=False)
class _Known:
    """A client as the database had it."""

    client: AuthenticatedClient
    password_hash: str
    digest_secret: bytes | None
    disabled: bool


@dataclass(frozen=True, slots=True)
class _Snapshot:
    clients: Mapping[str, _Known]
    good_until: float


def _utc_now() -> datetime:
    return datetime.now(UTC)


class ClientDirectory:
    """The clients of this gateway as one process sees them; shared by all its threads.

    Errors of the database pass through as they are. `now` is the clock that tokens are held against.
    """

    def __init__(
        self,
        engine: Engine,
        secrets: Secrets,
        ttl_seconds: float = 2,
        *,
        now: Callable[[], datetime] = _utc_now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.__engine = engine
        self.__secrets = secrets
        self.__ttl = ttl_seconds
        self.__now = now
        self.__monotonic = monotonic
        self.__nonces = UsedNonces(engine)
        self.__proven = ProvenPasswords(monotonic)
        self.__limit = FailureLimit(monotonic)
        nobodys_password = generate_password()
        self.__nobodys_hash = hash_password(nobodys_password)
        self.__nobodys_secret = secrets.encrypt(nobodys_password)
        # One password at a time: argon2 takes a core and 19 MiB, and a flood of guesses must not take them all.
        self.__checking = threading.Lock()
        self.__snapshot = _Snapshot({}, good_until=float("-inf"))
        self.__loading: Future[_Snapshot] | None = None
        self.__lock = threading.Lock()

    def authenticate(self, credentials: Credentials | None) -> AuthenticatedClient:
        """The client these credentials prove; NotAuthenticated if they prove none."""
        if credentials is None:
            raise NotAuthenticated(credentials_came=False)
        known = self.__fresh().clients.get(credentials.name)
        if credentials.password is None and (credentials.token is None or credentials.token.digest is None):
            _refuse(known, "nothing that proves it")
        if credentials.password is not None:
            self.__check_password(known, credentials.name, credentials.password)
        if credentials.token is not None:
            self.__check_token(known, credentials.token)
        if known is None or known.disabled:
            _refuse(known, "unknown or disabled")
        return known.client

    def known(self, name: str) -> AuthenticatedClient:
        """The client of that name, of which something else than a password is proof; NotAuthenticated without one."""
        known = self.__fresh().clients.get(name)
        if known is None or known.disabled:
            _refuse(known, "unknown or disabled")
        return known.client

    # --- Passwords ------------------------------------------------------------------------------------------------

    def __check_password(self, known: _Known | None, name: str, password: str) -> None:
        """The same work for a client that does not exist, or is disabled, as for a wrong password."""
        usable = known is not None and not known.disabled
        password_hash = known.password_hash if known is not None and usable else self.__nobodys_hash
        if self.__proven.knows(name, password_hash, password):
            return
        if not self.__checking.acquire(timeout=_LONGEST_WAIT):
            raise TooMany()
        try:
            if self.__proven.knows(name, password_hash, password):
                return  # another thread has checked it while we waited
            if not self.__limit.may_try(name) and not self.__is_kept(known, password):
                _refuse(known, "too many failures", "连续失败过多，请稍后再试。", "Too many failures, try again later.")
            if not password_matches(password_hash, password) or not usable:
                self.__limit.failed(name)
                _refuse(known, "wrong password")
            self.__proven.remember(name, password_hash, password)
        finally:
            self.__checking.release()

    def __is_kept(self, known: _Known | None, password: str) -> bool:
        """Whether it is the password kept for digests: so HIS gets in amid guesses where it has proven none yet."""
        if known is None or known.disabled or known.digest_secret is None:
            return False
        return hmac.compare_digest(self.__secret_of(known).encode(), password.encode())

    # --- Tokens ---------------------------------------------------------------------------------------------------

    def __check_token(self, known: _Known | None, token: UsernameToken) -> None:
        """First the proof, then clock and nonce: nobody but the client itself learns about them or uses them up.

        Digests are not counted by the limit, since no proven one can be remembered and a flood of wrong ones would shut
        the client out; its password is long enough instead.
        """
        if token.digest is not None and not token.proves(self.__secret_of(known)):
            _refuse(known, "wrong digest")
        if known is None or known.disabled:
            return
        now = self.__now()
        if token.created is not None and abs(now - token.created) > CLOCK_SKEW:
            _refuse(
                known,
                "Created is too far from our clock",
                "Created 与网关时钟相差超过 5 分钟，请校准时钟。",
                "Created is more than 5 minutes away from the gateway's clock: set the clock.",
            )
        if token.nonce and token.created is not None and not self.__nonces.use(token.name, token.nonce, now):
            _refuse(known, "the nonce was used before", "Nonce 已使用过。", "The Nonce was used before.")

    def __secret_of(self, known: _Known | None) -> str:
        """What the digest must be made with; for a client without such a secret, something nobody knows."""
        secret = known.digest_secret if known is not None and not known.disabled else None
        try:
            return self.__secrets.decrypt(secret or self.__nobodys_secret)
        except SecretUnreadable:
            _refuse(known, "its digest secret cannot be read with the present keys")

    # --- The snapshot ---------------------------------------------------------------------------------------------

    def __fresh(self) -> _Snapshot:
        """The present snapshot; when it is too old one thread reads it anew and the others wait for that."""
        present = self.__snapshot
        if self.__monotonic() < present.good_until:
            return present
        with self.__lock:
            if self.__monotonic() < self.__snapshot.good_until:
                return self.__snapshot
            loading, mine = self.__loading, self.__loading is None
            if loading is None:
                loading = self.__loading = Future()
        if mine:
            self.__load(loading)
        return loading.result()

    def __load(self, loading: Future[_Snapshot]) -> None:
        """All who wait get what came of it, be it the snapshot or the database's error."""
        try:
            snapshot = self.__read()
        except BaseException as error:
            with self.__lock:
                self.__loading = None
            loading.set_exception(error)
        else:
            with self.__lock:
                self.__snapshot, self.__loading = snapshot, None
            loading.set_result(snapshot)

    def __read(self) -> _Snapshot:
        good_until = self.__monotonic() + self.__ttl
        rights = func.array_agg(ClientRight.right).filter(ClientRight.right.is_not(None))
        query = select(Client.name, Client.password_hash, Client.digest_secret, Client.disabled_at, rights)
        with self.__engine.connect() as connection:
            rows = connection.execute(query.outerjoin(ClientRight).group_by(Client.name)).all()
        clients = {
            name: _Known(
                AuthenticatedClient(name, frozenset(held or ())), password_hash, secret, disabled_at is not None
            )
            for name, password_hash, secret, disabled_at, held in rows
        }
        return _Snapshot(clients, good_until)


def _refuse(known: _Known | None, reason: str, chinese: str = "", english: str = "") -> NoReturn:
    """Refuse, and tell the log why; an unknown name is not written: people type passwords there."""
    who = "an unknown client" if known is None else f"client {known.client.name}"
    _log.warning("%s is refused: %s", who, "it is disabled" if known is not None and known.disabled else reason)
    raise NotAuthenticated(chinese, english)
