"""HL7 into a real site: `gateway serve` with two ports, senders on real sockets, real processes and database."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from lxml import etree
from sqlalchemy import create_engine, select, text
from sqlalchemy.orm import Session

from gateway import cli
from gateway.database.embedded import EmbeddedDatabase
from gateway.hl7.acknowledgements import Acknowledgement, acknowledgement, read_acknowledgement
from gateway.hl7.er7 import read, value, write_bytes
from gateway.hl7.listener import Listener
from gateway.model.requisition import Requisition
from gateway.simulators.process import free_port
from tests.partners.certificates import Authority, client_context

RARE = "𠮷䶮㛃"
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
PARTNER = """
url = "mllp://127.0.0.1:{0}"
dialect = "hl7-mllp"
charset = "gb18030"

[operations.SubmitRequisition]
request = "gateway:hl7/requisition-to-hl7.xsl"
response = "gateway:hl7/order-response-from-hl7.xsl"

[operations.ChargeItem]
request = "gateway:hl7/charge-to-hl7.xsl"

[operations.RefundItem]
request = "gateway:hl7/refund-to-hl7.xsl"
"""
PORTS = """
[[routes]]
operation = "SubmitRequisition"
requisition_type = "EXAM"
partners = ["PACS"]

[[routes]]
operation = "ChargeItem"
partners = ["BILLING"]

[[routes]]
operation = "RefundItem"
partners = ["BILLING"]

[[hl7]]
name = "ORDERS"
client = "HIS"
port = {0}
addresses = ["127.0.0.1/32"]
values = {{ inpatient_release = "NURSE_SENT", outpatient_release = "PAID" }}

[[hl7.messages]]
types = ["ORM^O01"]
operation = "SubmitRequisition"
request = "gateway:hl7/requisition-from-hl7.xsl"
response = "gateway:hl7/order-response.xsl"

[[hl7]]
name = "LAB"
client = "LIS"
port = {1}
addresses = ["127.0.0.1/32"]
message_seconds = 2

[[hl7]]
name = "SECURE"
client = "LIS"
port = {2}
certificate_file = "server.pem"
key_file = "server.key"
ca_file = "hospital-ca.pem"
"""


class Receiver:
    """A system that takes HL7 over MLLP and says yes, unless a test says otherwise."""

    def __init__(self) -> None:
        self.messages: list[etree._Element] = []
        self.code = "AA"
        self.listener = Listener("RECEIVER", socket.create_server(("127.0.0.1", 0)), self.answer)
        self._thread = threading.Thread(target=self.listener.serve)
        self._thread.start()

    def answer(self, content: bytes) -> bytes:
        message = read(content)
        self.messages.append(message)
        made = acknowledgement(message, self.code, "余额不足", control_id="P1", now=datetime.now(UTC))
        return write_bytes(made, "gb18030")

    def about(self, number: str) -> list[etree._Element]:
        """The messages about one charge."""
        return [message for message in self.messages if value(message, "FT1", 2) == number]

    def close(self) -> None:
        self.listener.stop()
        self._thread.join(10)


class Hospital:
    """The site, and how its systems speak to it."""

    def __init__(self, folder: Path, ports: dict[str, int], receivers: dict[str, Receiver]) -> None:
        self.receivers = receivers
        self.folder = folder
        self.ports = ports
        self.log = folder / "gateway.log"
        command = [sys.executable, "-m", "gateway", "serve", "--folder", folder, "--port", "0", "--log-file", self.log]
        self.process = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    @property
    def known(self) -> dict:
        try:
            return json.loads((self.folder / "run" / "processes.json").read_text())
        except FileNotFoundError:
            return {"pids": {}}

    def page(self, path: str) -> bytes:
        """A page of the web server; empty while nothing answers."""
        address = str(self.known.get("address", "http://127.0.0.1:1")).removeprefix("http://")
        connection = http.client.HTTPConnection(address, timeout=30)
        try:
            connection.request("GET", path)
            return connection.getresponse().read()
        except OSError:
            return b""
        finally:
            connection.close()

    def connect(self, name: str) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.ports[name]), timeout=20)

    def answer(self, name: str, pipes: str, codec: str = "utf-8") -> bytes:
        """What comes back for one message on a connection of its own."""
        with self.connect(name) as connection:
            connection.sendall(b"\x0b" + pipes.encode(codec) + b"\x1c\r")
            came = b""
            while not came.endswith(b"\x1c\r"):
                piece = connection.recv(65536)
                assert piece, "the connection was closed without an answer"
                came += piece
        return came.strip(b"\x0b\x1c\r")

    def said(self, name: str, pipes: str, codec: str = "utf-8") -> Acknowledgement:
        found = read_acknowledgement(read(self.answer(name, pipes, codec)))
        assert found is not None
        return found

    def listens(self, name: str) -> bool:
        try:
            self.connect(name).close()
        except OSError:
            return False
        return True

    def found(self, query: str, **values: str) -> list[tuple]:
        engine = create_engine(EmbeddedDatabase(self.folder / "database").url())
        try:
            with engine.connect() as connection:
                return [tuple(row) for row in connection.execute(text(query), values)]
        finally:
            engine.dispose()


def until(what: Callable[[], object], seconds: float = 100) -> None:
    """Wait for something to be true."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it never became true"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def hospital() -> Iterator[Hospital]:
    folder = Path(tempfile.mkdtemp(prefix="gw-hl7-"))
    folder.chmod(0o755)
    assert cli.run(["init", "--folder", str(folder), "--hospital-code", "44643245-7"]) == 0
    ports = {"ORDERS": free_port(), "LAB": free_port(), "SECURE": free_port()}
    authority = Authority(folder)
    authority.issue("127.0.0.1", file="server"), authority.issue("LIS")
    receivers = {"PACS": Receiver(), "BILLING": Receiver()}
    for name, receiver in receivers.items():
        (folder / "partners" / name).mkdir(exist_ok=True)
        (folder / "partners" / name / "partner.toml").write_text(PARTNER.format(receiver.listener.port))
    with (folder / "gateway.toml").open("a") as settings:
        settings.write(PORTS.format(*ports.values()))
    found = Hospital(folder, ports, receivers)
    until(lambda: found.page("/healthz") and found.listens("LAB"))
    for client in ("HIS", "LIS"):
        assert cli.run(["client", "add", client, "--all-operations", "--folder", str(folder)]) == 0
    time.sleep(2.1)  # clients are read every two seconds
    yield found
    found.process.send_signal(signal.SIGTERM)
    found.process.communicate(timeout=60)
    for receiver in receivers.values():
        receiver.close()
    EmbeddedDatabase(folder / "database").remove()
    shutil.rmtree(folder)


def order(number: str, message: str, *, name: str = "王小明", charset: str = "", orders: str = "") -> str:
    return (
        f"MSH|^~\\&|HIS|H1|GATEWAY||20261116090500||ORM^O01|{message}|P|2.4||||||{charset}\r"
        f"PID|1||P{number}||{name}||19680417|M\rPV1|1|I|W1^^12|||||||2001|||||||||ZY{number}\r"
        f"ORC|NW|{number}|||||^^^^^R||20261116090500||||||||2001\r"
        f"OBR|1|{orders or number}||{'^'.join(['B1', '血常规'])}||||||||||||D1^赵|||||0201|||LAB\r"
    )


def status(number: str, message: str, state: str = "IP", orders: str = "") -> str:
    obr = f"OBR|1|{orders}\r" if orders else ""
    return (
        f"MSH|^~\\&|LIS||GATEWAY||20261116100000||ORM^O01|{message}|P|2.4\r"
        f"ORC|SC|{number}|||{state}||||20261116100000\r{obr}"
    )


def report(number: str, message: str) -> str:
    obr = [
        "OBR",
        "1",
        number,
        f"R{number}",
        "B1^血常规",
        *[""] * 17,
        "20261116110000",
        "",
        "CH",
        "F",
        *[""] * 6,
        "L1&李",
    ]
    return (
        f"MSH|^~\\&|LIS||GATEWAY||20261116110000||ORU^R01|{message}|P|2.4\r"
        f"PID|1||P{number}||王小明||19680417|M\rORC|RE|{number}\r{'|'.join(obr)}\r"
        "OBX|1|NM|WBC^白细胞||12.5|10*9/L|3.5-9.5|H|||F\r"
    )


def test_an_order_a_registration_and_a_report_are_taken(hospital: Hospital):
    answer = read(hospital.answer("ORDERS", order("A1", "H1")))
    assert (value(answer, "MSA", 1), value(answer, "MSA", 2)) == ("AA", "H1")
    assert (value(answer, "MSH", 9), value(answer, "ORC", 1), value(answer, "ORC", 4)) == ("ORR", "OK", "A1")
    told = hospital.said("LAB", status("A1", "L1"))
    assert (told.code, told.error) == ("AA", "")
    told = hospital.said("LAB", report("A1", "L2"))
    assert (told.code, told.error) == ("AA", "")
    assert hospital.found("SELECT soap_version FROM journal WHERE message_id = 'L2'") == [("MLLP LAB",)]


def test_a_cancelled_order_is_answered_as_cancelled(hospital: Hospital):
    assert value(read(hospital.answer("ORDERS", order("A9", "H91"))), "ORC", 1) == "OK"
    cancelled = order("A9", "H92").replace("ORC|NW|", "ORC|CA|")
    assert value(read(hospital.answer("ORDERS", cancelled)), "ORC", 1) == "CR"


def test_an_order_in_hl7_reaches_the_department_in_hl7(hospital: Hospital):
    exam = order("X1", "H5", name=RARE).replace("|||LAB", "|||CT")
    assert hospital.said("ORDERS", exam).code == "AA"
    pacs = hospital.receivers["PACS"]
    until(lambda: pacs.messages)
    arrived = pacs.messages[0]
    assert value(arrived, "PID", 5) == RARE
    assert (value(arrived, "ORC", 1), value(arrived, "ORC", 4)) == ("NW", "X1")
    assert value(arrived, "MSH", 10) != "H5", "it leaves under the gateway's own number"
    until(lambda: hospital.found("SELECT 1 FROM delivery WHERE partner = 'PACS' AND state = 'DELIVERED'"))


def test_a_repetition_has_one_effect_and_other_content_is_refused(hospital: Hospital):
    assert hospital.said("ORDERS", order("B1", "H10")).code == "AA"
    assert hospital.said("ORDERS", order("B1", "H10")).code == "AA"
    assert len(hospital.found("SELECT 1 FROM requisition WHERE requisition_no = 'B1'")) == 1
    refused = hospital.said("ORDERS", order("B1", "H10", name="李四"))
    assert (refused.code, refused.error) == ("AE", "SYS-409")


def test_a_refusal_names_its_code_and_says_why_in_the_sender_s_characters(hospital: Hospital):
    answer = hospital.answer("LAB", status("NONE", "L10").replace("|2.4", "|2.4||||||GB18030"), "gb18030")
    assert "申请单".encode("gb18030") in answer
    found = read_acknowledgement(read(answer))
    assert found is not None
    assert (found.code, found.control_id, found.error) == ("AE", "L10", "STA-404")


def test_a_sender_of_plain_ascii_is_answered_in_english(hospital: Hospital):
    assert hospital.answer("LAB", status("NONE", "L11")).isascii()


@pytest.mark.parametrize(
    ("codec", "charset"), [("gb18030", "GB 18030-2000"), ("utf-8", "UNICODE UTF-8"), ("gb18030", "")]
)
def test_rare_names_arrive_whole(hospital: Hospital, codec: str, charset: str):
    number = f"C{codec[:2]}{len(charset)}"
    assert hospital.said("ORDERS", order(number, f"H{number}", name=RARE, charset=charset), codec).code == "AA"
    engine = create_engine(EmbeddedDatabase(hospital.folder / "database").url())
    with Session(engine) as session:
        kept = session.scalars(select(Requisition).where(Requisition.requisition_no == number)).one()
        assert RARE in kept.request
    engine.dispose()


@pytest.mark.parametrize("joined", [r"D1\S\D2\S\D9", "D1^D2^D9"])
def test_one_unknown_order_in_a_joined_list_refuses_the_whole_status(hospital: Hospital, joined: str):
    message = "L20" if "\\" in joined else "L21"
    hospital.said("ORDERS", order("D0", "H20", orders=r"D1\S\D2").replace("B1^血常规", r"B1\S\B2^血\S\尿"))
    refused = hospital.said("LAB", status("D0", message, orders=joined))
    assert refused.code == "AE"
    assert refused.error.startswith("STA-")
    assert hospital.said("LAB", status("D0", f"{message}K", orders=r"D1\S\D2")).code == "AA"


@pytest.mark.parametrize(
    ("pipes", "error"),
    [
        ("no HL7 at all", "SYS-400"),
        ("MSH|^~\\&|LIS||GATEWAY||20261116||ADT^A01|L30|P|2.4\r", "SYS-400"),
        ("MSH|^~\\&|LIS||GATEWAY||20261116||ORU^R01||P|2.4\r", "SYS-400"),
    ],
)
def test_what_cannot_be_taken_at_all_is_rejected(hospital: Hospital, pipes: str, error: str):
    refused = hospital.said("LAB", pipes)
    assert (refused.code, refused.error) == ("AR", error)


def test_content_that_breaks_the_contract_is_an_error_and_not_a_guess(hospital: Hospital):
    refused = hospital.said("ORDERS", order("E1", "H30").replace("|||LAB", ""))
    assert (refused.code, refused.error) == ("AE", "SYS-400")
    assert "OBR-24" in hospital.answer("ORDERS", order("E1", "H31").replace("|||LAB", "")).decode()
    assert hospital.found("SELECT 1 FROM requisition WHERE requisition_no = 'E1'") == []


def test_a_critical_value_nobody_can_read_is_kept_and_alarms(hospital: Hospital):
    pipes = "MSH|^~\\&|LIS||GATEWAY||20261116110000||ORU^R40|L40|P|2.4\rPID|1||P1\rOBR|1\r"
    assert hospital.said("LAB", pipes).code == "AE"
    assert hospital.found("SELECT count(*) FROM alert WHERE kind LIKE '%CRITICAL%' OR kind LIKE '%PUSH%'") != [(0,)]


def test_critical_results_open_the_loop(hospital: Hospital):
    pipes = report("F1", "L41").replace("ORU^R01", "ORU^R40").replace("|H|||F", "|HH|||F")
    assert hospital.said("LAB", pipes).code == "AA"
    assert len(hospital.found("SELECT 1 FROM critical_value WHERE sender_code = 'LIS'")) >= 1


def money(number: str, message: str, kind: str = "CG", amount: str = "12.50") -> str:
    line = ["FT1", "1", number, "", "20261116110000", "", kind, "250101^血常规", "", "次", "1", amount, amount, "0201"]
    return (
        f"MSH|^~\\&|LIS||GATEWAY||20261116110000||DFT^P03|{message}|P|2.4\r"
        "PID|1||PM1||王小明||19680417|M\rPV1|1|I|W1^^12|||||||2001|||||||||ZYM1\r"
        f"OBX|1|ST|OriginalChargeNo^^99HG||CHG1\rOBX|2|ST|Initiator^^99HG||PERFORM_DEPT\r{'|'.join(line)}\r"
    )


def test_a_charge_is_booked_only_when_billing_says_so_and_may_be_given_back(hospital: Hospital):
    billing = hospital.receivers["BILLING"]
    assert hospital.said("ORDERS", order("M1", "H50")).code == "AA"
    booked = hospital.said("LAB", money("CHG1", "L60"))
    assert (booked.code, booked.error) == ("AA", "")
    assert [value(one, "FT1", 11) for one in billing.about("CHG1")] == ["12.50"]
    assert hospital.said("LAB", money("CHG1", "L60")).code == "AA"
    assert len(billing.about("CHG1")) == 1, "a repetition books nothing"
    billing.code = "AE"
    refused = hospital.said("LAB", money("CHG2", "L61"))
    assert refused.code == "AE"
    assert "余额不足" in refused.text
    billing.code = "AA"
    given_back = hospital.said("LAB", money("RF1", "L63", "CD", "-12.50"))
    assert (given_back.code, given_back.error) == ("AA", "")
    billing.code = "CA"
    assert hospital.said("LAB", money("CHG3", "L62")).error == "CHG-504"
    billing.code = "AA"


def test_a_sender_may_prove_itself_by_its_certificate(hospital: Hospital):
    known = client_context(hospital.folder / "hospital-ca.pem")
    known.load_cert_chain(hospital.folder / "LIS.pem", hospital.folder / "LIS.key")
    with known.wrap_socket(hospital.connect("SECURE"), server_hostname="127.0.0.1") as sender:
        sender.sendall(b"\x0b" + status("NONE", "L70").encode() + b"\x1c\r")
        assert b"MSA|AE|L70|" in sender.recv(65536)
    stranger = client_context(hospital.folder / "hospital-ca.pem")
    with suppress(OSError), stranger.wrap_socket(hospital.connect("SECURE"), server_hostname="127.0.0.1") as sender:
        sender.sendall(b"\x0b" + status("NONE", "L71").encode() + b"\x1c\r")
        assert sender.recv(65536) == b""
    assert hospital.found("SELECT 1 FROM journal WHERE message_id = 'L71'") == []


def test_a_message_can_be_tried_from_the_terminal(hospital: Hospital, tmp_path: Path, capsys: pytest.CaptureFixture):
    file = tmp_path / "order.hl7"
    file.write_text(order("T1", "H70").replace("\r", "\n"))
    where = f"127.0.0.1:{hospital.ports['ORDERS']}"
    assert cli.run(["hl7", "send", str(file), where]) == 0
    assert capsys.readouterr().out.startswith("AA H70")
    file.write_text(status("T1", "H71"))
    assert cli.run(["hl7", "send", str(file), where]) == 1, "this port takes orders only"
    assert "AE H71 SYS-400" in capsys.readouterr().err
    assert cli.run(["hl7", "send", str(file), f"127.0.0.1:{free_port()}"]) == 1


def test_a_slow_sender_holds_up_nobody(hospital: Hospital):
    with hospital.connect("LAB") as slow:
        slow.sendall(b"\x0bMSH")
        assert hospital.said("LAB", status("NONE", "L50")).code == "AE"
        assert slow.recv(1) == b"", "it is closed after its time"


def test_messages_of_hl7_are_counted(hospital: Hospital):
    assert hospital.said("ORDERS", order("N1", "H80")).code == "AA"
    until(lambda: b'gateway_requests_total{code="0",operation="SubmitRequisition"}' in hospital.page("/metrics"))


def test_nothing_of_a_patient_stands_in_the_log(hospital: Hospital):
    assert hospital.said("ORDERS", order("N2", "H81", name=RARE)).code == "AA"
    assert hospital.said("ORDERS", order("", "H82")).code == "AE"
    log = hospital.log.read_text()
    assert "王小明" not in log
    assert RARE not in log
    assert "MSH|" not in log


@pytest.mark.parametrize("order_to_end", [signal.SIGTERM, signal.SIGKILL])
def test_a_process_that_ends_is_replaced(hospital: Hospital, order_to_end: signal.Signals):
    pid = hospital.known["pids"]["hl7"]
    os.kill(pid, order_to_end)
    until(lambda: hospital.known["pids"].get("hl7", pid) != pid and hospital.listens("LAB"))
    assert "HL7 ends: messages that have begun are finished." in hospital.log.read_text()
    assert hospital.said("ORDERS", order(f"G{pid}", f"H{pid}")).code == "AA"
