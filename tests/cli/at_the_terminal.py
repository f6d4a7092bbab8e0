"""What a command said."""

import io
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def mistake(self) -> str:
        """The one line on standard error; nothing else may have been said."""
        assert self.code in (1, 2), self
        assert self.err.count("\n") == 1, self.err
        assert self.err.startswith("gateway: ")
        assert "Traceback" not in self.err
        return self.err.removeprefix("gateway: ").strip()


Command = Callable[..., Said]


class Piped(io.StringIO):
    def isatty(self) -> bool:
        return False
