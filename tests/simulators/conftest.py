"""Simulated systems in processes of their own, and zeep clients on the WSDL they serve."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zeep
from lxml import etree

from gateway.contract import NAMESPACE, Contract
from gateway.simulators.process import SimulatorProcess, free_port

CONTRACT = Contract()


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., SimulatorProcess]]:
    """start("his") runs a fresh one; start("his", folder) one that may know that folder already."""
    started = []

    def start(kind: str, folder: Path | None = None) -> SimulatorProcess:
        simulator = SimulatorProcess(kind, free_port(), folder or tmp_path_factory.mktemp(kind))
        started.append(simulator)
        simulator.start()
        return simulator

    yield start
    for simulator in started:
        simulator.stop()


class Caller:
    """A zeep client that sends samples, changed here and there."""

    def __init__(self, simulator: SimulatorProcess) -> None:
        self._client = zeep.Client(f"{simulator.url}?wsdl")

    def send(self, operation: str, **changes: Any) -> Any:
        """The answer to the sample of an operation, with fields of the request replaced."""
        request = sample(operation)
        header = {**request.pop("Header"), **changes.pop("header", {})}
        return self._client.service[operation](Request={"Header": header, **request, **changes})

    def code(self, operation: str, **changes: Any) -> str:
        return str(self.send(operation, **changes).Result.ResultCode)

    def close(self) -> None:
        self._client.transport.session.close()


@pytest.fixture
def caller() -> Iterator[Callable[[SimulatorProcess], Caller]]:
    opened = []

    def call(simulator: SimulatorProcess) -> Caller:
        opened.append(Caller(simulator))
        return opened[-1]

    yield call
    for one in opened:
        one.close()


def sample(operation: str) -> dict[str, Any]:
    """The request of a sample as nested dictionaries."""
    found = etree.parse(CONTRACT.sample(operation)).find(f".//{{{NAMESPACE}}}Request")
    return {etree.QName(child).localname: _plain(child) for child in found}


def _plain(element: etree._Element) -> Any:
    if not len(element):
        return element.text
    names = [etree.QName(child).localname for child in element]
    if len(set(names)) < len(names) or element.tag.endswith(f"{names[0]}s") or names == ["Diagnosis"]:
        return {names[0]: [_plain(child) for child in element]}
    return {name: _plain(child) for name, child in zip(names, element, strict=True)}
