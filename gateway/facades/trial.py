"""Trying a facade without a gateway: its samples through its stylesheets, and answers back to the vendor's form."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from lxml import etree

from gateway.contract import Contract
from gateway.errors import MessageFault
from gateway.facades.door import Door, Letter
from gateway.facades.intake import Arrival
from gateway.facades.translation import Defaults, operation_of, wrapper_of
from gateway.mapping.codes import CodeTables
from gateway.mapping.errors import MappingFailed
from gateway.mapping.functions import Circumstances
from gateway.messages.common import Result
from gateway.messages.wire import Wire
from gateway.soap.conversion import Conversion
from gateway.soap.repairs import Repairs
from gateway.styles.style import Asked

SAMPLES = "samples"
SENDER = "SAMPLE"
"""Who calls, where any client may."""


@dataclass(slots=True)
class Trial:
    """What became of one sample."""

    sample: Path
    function: str
    operation: str = ""
    request: str = ""
    """Our request, as XML."""
    answers: tuple[str, ...] = ()
    """What the vendor would be answered: a yes, and a fault."""
    problem: str = ""
    """Why it failed; empty when all went well."""


class Trials:
    """Tries the samples of one facade."""

    def __init__(self, door: Door, contract: Contract, wire: Wire, codes: CodeTables, now: datetime) -> None:
        self._door = door
        self._contract = contract
        self._wire = wire
        self._conversion = Conversion(contract, wire)
        self._codes = codes
        self._now = now

    def run(self) -> Iterator[Trial]:
        """Every file of samples/: the string of a message, named after its function (up to its first point)."""
        for path in sorted((self._door.facade.folder / SAMPLES).glob("*.*")):
            trial = Trial(path, path.name.partition(".")[0])
            try:
                self._try(trial, path.read_text("utf-8"))
            except MessageFault as problem:
                where = f" ({problem.path})" if problem.path else ""
                trial.problem = f"{problem.code}{where}: {problem.text_en}"
            except MappingFailed as problem:
                trial.problem = str(problem)
            yield trial

    def _try(self, trial: Trial, text: str) -> None:
        facade, contract = self._door.facade, self._contract
        hospital = facade.hospital_code or SENDER
        letter = Letter(Arrival("trial", b"", self._now, "G-SAMPLE", hospital), asked=Asked(trial.function, text))
        self._door.read(letter)
        assert letter.settings is not None
        assert letter.payload is not None
        known = self._door.known(letter, facade.client or SENDER, self._codes)
        made = self._door.translation.request(letter.settings, letter.payload, known)
        trial.operation = operation_of(contract, letter.settings, made)
        defaults = Defaults(facade.client or SENDER, hospital, self._now)
        wrapper = wrapper_of(contract, trial.operation, made, defaults)
        request = self._conversion.read(trial.operation, wrapper, Repairs())
        trial.request = self._wire.document(trial.operation, request)
        results = (
            self._result("0", "成功", "Accepted"),
            self._result("SYS-503", "网关暂时无法保存报文", "The gateway cannot keep messages"),
        )
        trial.answers = tuple(self._answer(letter, known, result) for result in results)

    def _result(self, code: str, chinese: str, english: str) -> Result:
        return Result(
            result_code=code,
            result_text=chinese,
            result_text_en=english,
            message_id="SAMPLE",
            gateway_txn_no="G-SAMPLE",
            duplicate=False,
            retryable=code != "0",
            processed_at=self._now,
        )

    def _answer(self, letter: Letter, known: Circumstances, result: Result) -> str:
        answer = etree.fromstring(f"<Response><Result>{self._wire.write(result)}</Result></Response>")
        made = self._door.answer(letter, answer, known)
        return made if isinstance(made, str) else etree.tostring(made, encoding="unicode", pretty_print=True)
