"""A secret that stands in a file of its own and follows it: a password that is changed there needs no restart."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr

Stamp = tuple[int, int, int]


class FileSecret(SecretStr):
    """The first reading raises OSError or UnicodeDecodeError; after that the last value counts while the file cannot be
    read, is empty or has become more than one line. Any number of threads may use it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp = _stamp_of(path)
        super().__init__(_read(path))

    def get_secret_value(self) -> str:
        """What the file says now."""
        try:
            stamp = _stamp_of(self.path)
            if stamp != self._stamp:
                value = _read(self.path)
                if value and value.isprintable():
                    self._secret_value = value
                self._stamp = stamp
        except (OSError, UnicodeDecodeError):
            pass
        return self._secret_value


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip()


def _stamp_of(path: Path) -> Stamp:
    found = path.stat()
    return found.st_mtime_ns, found.st_size, found.st_ino
