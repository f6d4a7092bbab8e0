"""HL7 at the door of a port, whatever fails behind it: always an acknowledgement, and always the true one."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from facade_site import SETS, Site

from gateway.bootstrap.core import process_metrics
from gateway.bootstrap.doors import make_doors
from gateway.facades.hl7 import Hl7Door
from gateway.hl7.acknowledgements import Acknowledgement, read_acknowledgement
from gateway.hl7.er7 import read
from gateway.hl7_config import Hl7Port
from gateway.mapping.codes import NoCodeTables

ORDER = (SETS / "hl7" / "samples" / "order.hl7").read_text("utf-8").replace("\n", "\r")
SHEET = '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:g="urn:hospital-gateway:functions">{}</xsl:stylesheet>'  # noqa: E501
SAYS_NO = SHEET.format(
    '<xsl:template match="/"><HL7><MSH.1><xsl:value-of select="g:fail(\'no\')"/></MSH.1></HL7></xsl:template>'
)
NO_HL7 = SHEET.format('<xsl:template match="/"><HL7><ZZZ><王五/></ZZZ></HL7></xsl:template>')


@pytest.fixture
def door_of(site_of: Callable[..., Site], tmp_path: Path) -> Callable[..., Hl7Door]:
    """The door of a port where orders come in, answered by this stylesheet."""

    def make(client: str = "HIS", response: str = "", name: str = "requisition") -> Hl7Door:
        core = site_of("hl7").core
        (tmp_path / "response.xsl").write_text(response)
        message = {
            "types": ["ORM^O01"],
            "operation": "SubmitReport" if name == "report" else "SubmitRequisition",
            "request": f"gateway:hl7/{name}-from-hl7.xsl",
            "response": "response.xsl" if response else None,
        }
        port = Hl7Port(
            name="ORDERS", client=client, port=6661, addresses=["127.0.0.1/32"], messages=[message],
            values={"outpatient_release": "PAID", "inpatient_release": "NURSE_SENT"},
        )  # fmt: skip
        return Hl7Door(
            port, folder=tmp_path, contract=core.contract, intake=make_doors(core).intake,
            codes=NoCodeTables(), metrics=process_metrics(), clock=core.clock, hospital_code="44643245-7",
            body_bytes=core.settings.limits.body_bytes,
        )  # fmt: skip

    return make


def said(answer: bytes) -> Acknowledgement:
    found = read_acknowledgement(read(answer))
    assert found is not None
    return found


@pytest.mark.parametrize("response", ["<xsl:stylesheet", SAYS_NO, NO_HL7])
def test_what_is_taken_is_acknowledged_also_when_its_answer_cannot_be_made(
    door_of: Callable[..., Hl7Door], response: str, caplog: pytest.LogCaptureFixture
):
    answer = said(door_of(response=response).answer(ORDER.encode()))
    assert (answer.code, answer.control_id) == ("AA", "HL7-1")
    assert "HL7 ORDERS: answered without what its stylesheet makes" in caplog.text


@pytest.mark.parametrize(("client", "error"), [("HIS", "SYS-413"), ("RIS", "SYS-400")])
def test_only_who_may_send_large_reports_sends_them_in_hl7(door_of: Callable[..., Hl7Door], client: str, error: str):
    large = ORDER + "NTE|1||" + "x" * 2_100_000 + "\r"
    assert said(door_of(client, name="report").answer(large.encode())).error == error
    assert said(door_of(client).answer(large.encode())).error == "SYS-413"


def test_a_number_that_is_none_stands_in_no_log(door_of: Callable[..., Hl7Door], caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO):
        answer = said(door_of().answer(ORDER.replace("HL7-1|P", r"王五\.br\Fault|P").encode()))
    assert answer.error == "SYS-400"
    assert "王五" not in caplog.text
