"""What every simulated system has: a name, a memory, and answers in the form of our contract."""

from __future__ import annotations

from datetime import datetime
from itertools import count
from typing import Any

from gateway.contract import snake_case
from gateway.messages.common import Result
from gateway.messages.wire import Wire
from gateway.simulators.memory import Memory


class System:
    """A system with a memory, whatever it speaks."""

    name = ""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory

    def act(self, action: str, number: str, amount: str = "") -> None:
        """Something its own staff does at the screen, told by /control. Raises LookupError when it cannot."""
        raise LookupError(f"{self.name} cannot {action}.")

    def state(self) -> dict[str, Any]:
        """What it remembers, for who looks at it from outside."""
        return self.memory.everything()


class SimulatedSystem(System):
    """A partner's system. A method named like an operation of the contract serves it; what has none is not served.

    A refusal is raised as the gateway's own errors are (`gateway/errors.py`): both speak the same contract.
    """

    def __init__(self, memory: Memory, wire: Wire) -> None:
        super().__init__(memory)
        self.wire = wire
        self._numbers = count(1)

    def serves(self, operation: str) -> bool:
        return callable(getattr(self, snake_case(operation), None))

    def answer(self, operation: str, request: Any) -> Any:
        """The response to a request. Raises RequestRefused."""
        return getattr(self, snake_case(operation))(request)

    def accepted(self, request: Any, *, duplicate: bool = False) -> Result:
        """The Result of a message that was accepted."""
        return self.result(request, "0", "成功", "Accepted", duplicate=duplicate)

    def result(
        self, request: Any, code: str, text: str, text_en: str, *, duplicate: bool = False, retryable: bool = False
    ) -> Result:
        now = datetime.now().astimezone()
        return Result(
            result_code=code,
            result_text=text,
            result_text_en=text_en,
            message_id=request.header.message_id,
            gateway_txn_no=f"{self.name}{now:%y%m%d%H%M%S}{now.microsecond:06d}{next(self._numbers):04d}",
            duplicate=duplicate,
            retryable=retryable,
            processed_at=now,
        )


def sender_of(request: Any) -> str:
    """Whose number a business number is: of the system the gateway forwards for, else of the caller itself."""
    header = request.header
    return str(header.origin_sender_code or header.sender_code)


def own_key(request: Any, number: str) -> tuple[str, ...]:
    """A number that different systems may use independently of each other."""
    return (request.header.hospital_code or "", sender_of(request), number)
