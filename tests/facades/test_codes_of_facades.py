"""Codes in the strings of vendors: looked up on their way in, and heard again in the journal."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from facade_site import Site, sample
from sqlalchemy.orm import Session

from gateway.bootstrap.doors import make_doors
from gateway.bootstrap.hl7 import make_door
from gateway.codes import tables, unmapped
from gateway.codes.coverage import Listener, coverage
from gateway.codes.lines import Line
from gateway.codes.tables import Name
from gateway.facades.asked_codes import by_facade, by_hl7
from gateway.hl7_config import Hl7Message, Hl7Port
from gateway.model.code_table import UnmappedCode
from gateway.model.journal import Alert
from gateway.monitoring import Metrics

HOSPITAL = "44643245-7"
REQUEST = """<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:import href="gateway:facades/request-header-body/request.xsl"/>
  <xsl:template match="PerformDeptCode" mode="field">
    <PerformDeptCode><xsl:value-of select="g:code('department', .)"/></PerformDeptCode>
  </xsl:template>
</xsl:stylesheet>"""


@pytest.fixture
def site(site_of: Callable[..., Site], tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.getbasetemp() / "facade-with-codes"
    folder.mkdir(exist_ok=True)
    (folder / "request.xsl").write_text(REQUEST)
    functions = {"SubmitRequisition": {"operation": "SubmitRequisition", "request": "request.xsl"}}
    response = "gateway:facades/request-header-body/response.xsl"
    return site_of("request-header-body", folder=folder, functions=functions, response=response, partner="OLDHIS")


def use(site: Site, *lines: Line) -> None:
    now = datetime.now(UTC)
    with Session(site.engine) as session:
        found = tables.take_table(session, Name(HOSPITAL, "OLDHIS", "department"), "zhang", now)
        tables.activate(session, found, tables.add_draft(session, found, lines, "a.csv", "zhang", now), "zhang", now)
        unmapped.settle(session, now)
        session.commit()


def heard(site: Site) -> tuple[Listener, int]:
    settings, since = site.core.settings, datetime.now(UTC) - timedelta(days=7)
    with Session(site.engine) as session:
        listener = Listener(session, date(2026, 11, 28))
        received = by_facade(settings.facades[0], HOSPITAL, settings.zone, since, 1000)
        assert received.count(session) == len(site.journal())
        return listener, received.listen(session, listener, lambda done: None)


def test_a_vendor_s_code_becomes_ours_and_one_without_a_row_is_told_to_come_again(site: Site):
    department = department_of(sample("SubmitRequisition"))
    refused = site.ask(sample("SubmitRequisition"), client="HIS").inner()
    assert refused.findtext("Body/ResultCode") == "-1"
    with Session(site.engine) as session:
        (row,) = session.query(UnmappedCode).all()
        assert (row.partner, row.outbound, row.value, row.policy) == ("OLDHIS", False, department, "park")
        (alert,) = session.query(Alert).all()
        assert alert.subject == f"OLDHIS: table department has no row for {department} (theirs to ours)"
    use(site, Line("9001", department))
    taken = site.ask(sample("SubmitRequisition"), client="HIS").inner()
    assert taken.findtext("Body/ResultCode") == "0"


def test_what_came_by_a_facade_is_heard_again_in_the_journal(site: Site):
    department = department_of(sample("SubmitRequisition"))
    use(site, Line("9001", department))
    site.ask(sample("SubmitRequisition"), client="HIS")
    before = len(site.journal())
    listener, failed = heard(site)
    (found,) = coverage(listener)
    assert found.scope == (HOSPITAL, "OLDHIS", "department", False)
    assert (found.values, found.messages, found.complete, failed) == (1, 1, 1, 0)
    assert len(site.journal()) == before


PIPES = "MSH|^~\\&|LIS||GATEWAY||20261116090500||ORM^O01|M1|P|2.4\rORC|SC|R1\r"
QUERY = """<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:template match="/*"><Request><Header><MessageId>M1</MessageId></Header>
    <RequisitionNo>R1</RequisitionNo></Request></xsl:template>
</xsl:stylesheet>"""
FOUND = """<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:template match="/Response"><HL7><ORC><ORC.1>
    <xsl:value-of select="g:code('department', '9001')"/></ORC.1></ORC></HL7></xsl:template>
</xsl:stylesheet>"""


def test_codes_in_an_acknowledgement_become_theirs_and_one_without_a_row_hides_nothing(site: Site, tmp_path: Path):
    (tmp_path / "query.xsl").write_text(QUERY)
    (tmp_path / "found.xsl").write_text(FOUND)
    message = Hl7Message(
        types=("ORM^O01",),
        operation="QueryRequisition",
        request=str(tmp_path / "query.xsl"),
        response=str(tmp_path / "found.xsl"),
    )
    port = Hl7Port(name="LAB", client="LIS", port=1, addresses=("127.0.0.1/32",), messages=(message,))
    door = make_door(site.core, make_doors(site.core), Metrics(None), port)
    assert b"ORC|9001" in door.answer(PIPES.encode())
    now = datetime.now(UTC)
    with Session(site.engine) as session:
        found = tables.take_table(session, Name(HOSPITAL, "LIS", "department"), "zhang", now)
        draft = tables.add_draft(session, found, [Line("9001", "XRAY")], "a.csv", "zhang", now)
        tables.activate(session, found, draft, "zhang", now)
        session.commit()
    answer = door.answer(PIPES.encode())
    assert b"MSA|AA|M1" in answer
    assert b"ORC|XRAY" in answer


def test_what_came_over_mllp_is_heard_again_in_the_journal(site: Site, tmp_path: Path):
    (tmp_path / "query.xsl").write_text(QUERY)
    message = Hl7Message(types=("ORM^O01",), operation="QueryRequisition", request="query.xsl")
    port = Hl7Port(name="WARD", client="LIS", port=1, addresses=("127.0.0.1/32",), messages=(message,))
    settings, since = site.core.settings, datetime.now(UTC) - timedelta(days=7)
    source = by_hl7(port, tmp_path, HOSPITAL, settings.zone, since, 1000)
    kept = port.model_copy(update={"messages": (message.model_copy(update={"request": str(tmp_path / "query.xsl")}),)})
    make_door(site.core, make_doors(site.core), Metrics(None), kept).answer(PIPES.encode())
    coded = QUERY.replace("<RequisitionNo>R1", "<RequisitionNo><xsl:value-of select=\"g:code('ward', '7A')\"/>")
    (tmp_path / "query.xsl").write_text(
        coded.replace("xmlns:xsl", 'xmlns:g="urn:hospital-gateway:functions" xmlns:xsl')
    )
    with Session(site.engine) as session:
        listener = Listener(session, date(2026, 11, 28))
        assert (source.count(session), source.listen(session, listener, lambda done: None)) == (1, 0)
    (found,) = coverage(listener)
    assert (found.scope, found.without) == ((HOSPITAL, "LIS", "ward", False), (("7A", 1),))


def department_of(message: str) -> str:
    return message.partition("<PerformDeptCode>")[2].partition("<")[0]
