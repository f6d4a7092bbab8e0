"""What a simulated system remembers: records by their numbers, written down before anybody is told."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

Record = dict[str, Any]


class Memory:
    """Records of several kinds, each under its key; not safe for threads, the simulator takes one request at a time."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._records: dict[str, dict[tuple[str, ...], Record]] = {}
        self._made: Counter[str] = Counter()
        if path is not None and path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                kind, key, record = json.loads(line)
                self._set(kind, tuple(key), record)

    def remember(self, kind: str, key: tuple[str, ...], /, **record: Any) -> Record:
        """Store a record, in place of an earlier one of the same key. This is the commit: it survives the process."""
        self._write(kind, key, record)
        return record

    def forget(self, kind: str, key: tuple[str, ...]) -> None:
        """Lose a record, as if it had never been stored."""
        self._write(kind, key, None)

    def recall(self, kind: str, key: tuple[str, ...]) -> Record | None:
        """The record of that key, None if there is none."""
        return self._table(kind).get(key)

    def all(self, kind: str) -> list[Record]:
        """The records of a kind, in the order in which they first came."""
        return list(self._table(kind).values())

    def next_number(self, kind: str, prefix: str) -> str:
        """The number a new record of this kind gets, such as HF000017."""
        return f"{prefix}{self._made[kind] + 1:06d}"

    def everything(self) -> dict[str, list[Record]]:
        """All records by kind, for who looks at the simulator from outside."""
        return {kind: list(table.values()) for kind, table in self._records.items()}

    def items(self, kind: str) -> list[tuple[tuple[str, ...], Record]]:
        """The records of a kind with their keys."""
        return list(self._table(kind).items())

    def _write(self, kind: str, key: tuple[str, ...], record: Record | None) -> None:
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps([kind, key, record], ensure_ascii=False, default=str) + "\n")
        self._set(kind, key, record)

    def _set(self, kind: str, key: tuple[str, ...], record: Record | None) -> None:
        if record is None:
            self._table(kind).pop(key, None)
            return
        self._made[kind] += key not in self._table(kind)
        self._table(kind)[key] = record

    def _table(self, kind: str) -> dict[tuple[str, ...], Record]:
        return self._records.setdefault(kind, {})
