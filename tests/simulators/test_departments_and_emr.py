"""The simulated PACS, LIS and EMR answer as real ones do."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import requests

from gateway.simulators.process import SimulatorProcess, free_port
from tests.simulators.conftest import CONTRACT, Caller, sample

Start = Callable[..., SimulatorProcess]
Call = Callable[[SimulatorProcess], Caller]
NUMBER = "SQ202611160012"


def test_a_requisition_stands_on_the_worklist_once(start: Start, caller: Call) -> None:
    pacs = start("pacs")
    answers = [caller(pacs).send("SubmitRequisition") for _ in range(2)]
    assert [a.AccessionNo for a in answers] == ["ACC000001", "ACC000001"]
    assert [(e["requisition_no"], e["state"]) for e in pacs.state()["worklist"]] == [(NUMBER, "WAITING")]


def test_a_registered_requisition_is_neither_changed_nor_cancelled(start: Start, caller: Call) -> None:
    lis = start("lis")
    caller(lis).send("SubmitRequisition")
    lis.register(NUMBER)
    assert [caller(lis).code("SubmitRequisition", Action=action) for action in ("UPDATE", "CANCEL")] == ["REQ-423"] * 2


def test_a_cancelled_requisition_does_not_come_back(start: Start, caller: Call) -> None:
    pacs = start("pacs")
    codes = [caller(pacs).code("SubmitRequisition", Action=action) for action in ("NEW", "CANCEL", "CANCEL", "NEW")]
    assert codes == ["0", "0", "0", "REQ-410"]


def test_the_worklist_can_be_asked(start: Start, caller: Call) -> None:
    pacs = start("pacs")
    caller(pacs).send("SubmitRequisition")
    found = caller(pacs).send("QueryRequisition").Requisitions.Requisition
    assert [(r.RequisitionNo, len(r.Items.Item)) for r in found] == [(NUMBER, 3)]


def test_the_opinion_comes_back_to_the_department(start: Start, caller: Call) -> None:
    pacs = start("pacs")
    assert caller(pacs).send("AcknowledgeCriticalValue").CriticalStatus == "50"
    assert [a["opinion"] for a in pacs.state()["acknowledgements"]] == [sample("AcknowledgeCriticalValue")["Opinion"]]


def test_the_record_has_this_visit_or_all_and_orders_only_if_wanted(start: Start, caller: Call) -> None:
    client = caller(start("emr"))
    this = client.send("GetMedicalRecord", IncludeOrders=False)
    every = client.send("GetMedicalRecord", Scope="ALL_VISITS", DateFrom=None)
    assert [v.VisitNo for v in this.Visits.Visit] == ["ZY20260012345"]
    assert this.Visits.Visit[0].Orders is None
    assert len(every.Visits.Visit) == 3
    assert all(visit.Orders.Order for visit in every.Visits.Visit)


def test_a_dialysis_patient_has_as_many_visits_as_its_number_says(start: Start, caller: Call) -> None:
    client = caller(start("emr"))
    last = client.send("GetMedicalRecord", PatientId="PHD120", Scope="ALL_VISITS", DateFrom=None, PageNo=3, PageSize=50)
    assert last.TotalCount == 120
    assert [v.VisitNo for v in last.Visits.Visit] == [f"HD{number:04d}" for number in range(20, 0, -1)]
    one = client.send("GetMedicalRecord", PatientId="PHD120", VisitNo="HD0007", Scope="THIS_VISIT")
    assert [v.VisitNo for v in one.Visits.Visit] == ["HD0007"]


def test_an_unknown_patient_has_no_record(start: Start, caller: Call) -> None:
    assert caller(start("emr")).code("GetMedicalRecord", PatientId="X1") == "EMR-404"


def test_a_system_answers_in_soap_12_too_and_does_not_serve_what_is_not_its_own(start: Start) -> None:
    body = (
        CONTRACT.sample("ChargeItem")
        .read_bytes()
        .replace(b"http://schemas.xmlsoap.org/soap/envelope/", b"http://www.w3.org/2003/05/soap-envelope")
    )
    answer = requests.post(start("pacs").url, body, headers={"Content-Type": "application/soap+xml"}, timeout=30)
    assert (answer.status_code, b"PACS has no such operation" in answer.content) == (400, True)


def test_a_port_in_use_is_said_in_one_line(start: Start, tmp_path: Path) -> None:
    simulator = start("emr")
    words = ["emr", str(simulator.port), str(tmp_path / "log"), str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "gateway.simulators", *words], capture_output=True, text=True, timeout=30
    )
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert f"Port {simulator.port} of 127.0.0.1 is in use" in done.stderr


def test_a_simulator_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    port = free_port()
    program = (
        "from pathlib import Path; from gateway.simulators.process import SimulatorProcess as P;"
        f"p = P('emr', {port}, Path({str(tmp_path)!r})); p.start();"
        "import os; print(p.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)
    probe = f"import os, time\nfor _ in range(100):\n    os.kill({int(done.stdout)}, 0); time.sleep(0.1)"
    gone = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, timeout=30)
    assert "ProcessLookupError" in gone.stderr
