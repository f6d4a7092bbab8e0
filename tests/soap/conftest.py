"""A gateway in this process for every test, and zeep to speak with it."""

import pytest
from inprocess import Gateway, SoapClient


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


@pytest.fixture
def soap(gateway: Gateway) -> SoapClient:
    return SoapClient(gateway)
