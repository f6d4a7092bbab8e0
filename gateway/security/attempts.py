"""Keeps the price of passwords low for those who know them, and the number of guesses small for those who do not."""

from __future__ import annotations

import hmac
import secrets
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass


class ProvenPasswords:
    """Remembers which password was right, so that a busy client pays for argon2 once and not with each message.

    It holds no password: only a keyed digest of name, stored hash and password, with a key that lives as long as the
    process. A changed password has another stored hash, so what was proven for the old one counts no longer.
    """

    def __init__(self, monotonic: Callable[[], float], *, seconds: float = 300, most: int = 1024) -> None:
        self.__monotonic = monotonic
        self.__seconds = seconds
        self.__most = most
        self.__key = secrets.token_bytes(32)
        self.__until: OrderedDict[bytes, float] = OrderedDict()
        self.__lock = threading.Lock()

    def knows(self, name: str, password_hash: str, password: str) -> bool:
        """Whether it was proven and used within the last five minutes; a use begins them anew."""
        mark = self.__mark(name, password_hash, password)
        now = self.__monotonic()
        with self.__lock:
            if self.__until.get(mark, now) <= now:
                return False
            self.__keep(mark, now)
            return True

    def remember(self, name: str, password_hash: str, password: str) -> None:
        mark = self.__mark(name, password_hash, password)
        with self.__lock:
            self.__keep(mark, self.__monotonic())
            if len(self.__until) > self.__most:
                self.__until.popitem(last=False)

    def __keep(self, mark: bytes, now: float) -> None:
        self.__until[mark] = now + self.__seconds
        self.__until.move_to_end(mark)

    def __mark(self, name: str, password_hash: str, password: str) -> bytes:
        return hmac.digest(self.__key, f"{name}\0{password_hash}\0{password}".encode(), "sha256")


@dataclass
class _Failures:
    times: deque[float]
    tried_at: float = float("-inf")


class FailureLimit:
    """After ten failures of a name within a minute, its passwords are checked once a second and no oftener.

    Not refused altogether: else anybody could shut a hospital's HIS out by sending wrong passwords in its name.
    Names that no client has are counted in the same way, so that the limit does not tell which names exist.
    """

    def __init__(self, monotonic: Callable[[], float], *, failures: int = 10, names: int = 10_000) -> None:
        self.__monotonic = monotonic
        self.__failures = failures
        self.__names = names
        self.__by_name: OrderedDict[str, _Failures] = OrderedDict()

    def may_try(self, name: str) -> bool:
        """Whether a password of this name may be checked now; a yes counts as a try."""
        now = self.__monotonic()
        known = self.__by_name.get(name)
        if known is None or len(known.times) < self.__failures or known.times[0] <= now - 60:
            return True
        if now - known.tried_at < 1:
            return False
        known.tried_at = now
        return True

    def failed(self, name: str) -> None:
        known = self.__by_name.setdefault(name, _Failures(deque(maxlen=self.__failures)))
        known.times.append(self.__monotonic())
        self.__by_name.move_to_end(name)
        if len(self.__by_name) > self.__names:
            self.__by_name.popitem(last=False)
