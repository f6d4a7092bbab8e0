"""The line to a MariaDB breaks exactly at the commit: whatever became of it, the charge is there once in the end."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from gateway.operations.dispatch import Outcome
from gateway.partners.addressing import Stamp
from tests.partners.database import mariadb
from tests.partners.database.conftest import ORIGIN, Middle
from tests.partners.fake_partner import sample

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")


class Line:
    """The network between gateway and database; `cut` says what happens to the next commit."""

    def __init__(self, port: int) -> None:
        self.cut = ""
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
                threading.Thread(target=self._pump, args=(near, far, True), daemon=True).start()
                threading.Thread(target=self._pump, args=(far, near, False), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, is_ours: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if is_ours and self.cut and data.endswith(b"\x03COMMIT"):
                    how, self.cut = self.cut, ""
                    source.shutdown(socket.SHUT_RDWR)
                    if how == "after":
                        target.sendall(data)
                        time.sleep(0.3)
                    break
                target.sendall(data)
        for line in (source, target):
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
            line.close()

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def line(mariadb_server: mariadb.MariaDb) -> Iterator[Line]:
    found = Line(mariadb_server.port)
    yield found
    found.close()


@pytest.mark.parametrize(("cut", "is_booked"), [("before", False), ("after", True)])
def test_a_charge_whose_commit_was_cut_off_is_booked_once(
    mariadb_middle: Middle, line: Line, cut: str, is_booked: bool
):
    middle = mariadb_middle
    middle.run("CREATE TABLE CHARGES (NO VARCHAR(40), MSG_ID VARCHAR(64) PRIMARY KEY)")
    middle.settings = {"database": {"tables": ["CHARGES"], "message_id": "MSG_ID"}}
    middle.url = middle.url.replace(str(middle.server.port), str(line.port))
    middle.stylesheet('<Rows><insert table="CHARGES"><NO>C1</NO></insert></Rows>')
    partners = middle.partners(middle.partner({"ChargeItem": {"request": "request.xsl"}}))
    asked = ("PACS", "ChargeItem", sample("ChargeItem"), Stamp("GW-1", ORIGIN))
    line.cut = cut
    answer = partners.call(*asked, 5)
    assert (answer.outcome, answer.code) == (Outcome.UNKNOWN, "COMMIT")
    time.sleep(0.5)
    found = partners.find_booking(*asked)
    assert (found is not None and found.is_yes) is is_booked
    assert partners.call(*asked, 5).is_yes
    assert middle.rows("SELECT COUNT(*) FROM CHARGES") == [(1,)]
