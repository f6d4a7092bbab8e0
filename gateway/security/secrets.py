"""Keeps secrets that the gateway must be able to read again: encrypted with keys from a file that only it may read."""

from __future__ import annotations

import hmac
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

_HEAD = "# Keys of the gateway's stored secrets, newest first. Keep a copy in a safe place: without it they are lost.\n"
_READABLE_BY_OTHERS = 0o027
"""Reading by the group is allowed: that is how container platforms hand a secret to a process that is not root."""


class KeyFileError(Exception):
    """The key file cannot be used; the text is one sentence for the person who starts the gateway."""


class SecretUnreadable(Exception):
    """None of the present keys opens a stored secret."""


class Secrets:
    """Encrypts with the newest key, reads with any."""

    def __init__(self, keys: Sequence[str]) -> None:
        self.__keys = MultiFernet([Fernet(key) for key in keys])
        self.__newest = keys[0].encode()

    @classmethod
    def from_file(cls, path: Path) -> Secrets:
        """Take the keys of the file, one a line; empty lines and lines with # are for people."""
        keys = _read_keys(path)
        for number, key in keys.items():
            _refuse_what_is_no_key(path, number, key)
        return cls(list(keys.values()))

    def encrypt(self, secret: str) -> bytes:
        return self.__keys.encrypt(secret.encode())

    def decrypt(self, token: bytes) -> str:
        try:
            return self.__keys.decrypt(token).decode()
        except InvalidToken:
            raise SecretUnreadable("none of the present keys opens this secret") from None

    def opens(self, token: bytes) -> bool:
        """Whether one of the keys does."""
        try:
            self.decrypt(token)
        except SecretUnreadable:
            return False
        return True

    def fingerprint(self, text: str) -> str:
        """The same text has the same fingerprint wherever the newest key is the same; it tells nothing of either."""
        return hmac.new(self.__newest, text.encode(), "sha256").hexdigest()[:16]

    def renew(self, token: bytes) -> bytes:
        """The same secret, encrypted with the newest key."""
        try:
            return self.__keys.rotate(token)
        except InvalidToken:
            raise SecretUnreadable("none of the present keys opens this secret") from None


def create_key_file(path: Path) -> None:
    """Write a new file with one new key, readable by its owner alone; an existing file is never overwritten."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise KeyFileError(f"The key file {path} exists already.") from None
    except OSError as error:
        raise KeyFileError(f"The key file {path} cannot be written: {error.strerror}.") from None
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(_HEAD + Fernet.generate_key().decode() + "\n")


def add_key(path: Path) -> None:
    """Put a new key above the others: new secrets use it, the old ones can still be read.

    The processes of the gateway read the file when they start: restart them before a new secret is stored.
    """
    Secrets.from_file(path)
    keys = [Fernet.generate_key().decode(), *_read_keys(path).values()]
    try:
        _replace(path, _HEAD + "\n".join(keys) + "\n")
    except OSError as error:
        raise KeyFileError(f"The key file {path} cannot be written: {error.strerror}.") from None


def _read_keys(path: Path) -> dict[int, str]:
    """The keys by their line number."""
    try:
        if path.stat().st_mode & _READABLE_BY_OTHERS:
            raise KeyFileError(f"The key file {path} is open to other users: run chmod 600 on it.")
        lines = path.read_text(encoding="ascii").splitlines()
    except OSError as error:
        raise KeyFileError(f"The key file {path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise KeyFileError(f"The key file {path} is not a text file with keys.") from None
    stripped = enumerate((line.strip() for line in lines), 1)
    keys = {number: line for number, line in stripped if line and not line.startswith("#")}
    if not keys:
        raise KeyFileError(f"The key file {path} holds no key.")
    return keys


def _refuse_what_is_no_key(path: Path, number: int, key: str) -> None:
    try:
        Fernet(key)
    except ValueError:
        raise KeyFileError(f"Line {number} of the key file {path} is not a key.") from None


def _replace(path: Path, text: str) -> None:
    """Write it beside and rename it into place, with the owner and the mode of the old file."""
    old = path.stat()
    descriptor, beside = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        os.fchown(descriptor, old.st_uid, old.st_gid)
        os.fchmod(descriptor, old.st_mode & 0o777)
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    Path(beside).replace(path)
