"""`gateway codes coverage` and `what-if`: last week's messages go through the stylesheets again, and none is sent."""

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from at_the_terminal import Command, Said
from sqlalchemy import create_engine, select, text
from sqlalchemy.orm import Session

from emptying import clear
from gateway.codes.picture import Asked
from gateway.codes.unmapped import remember
from gateway.mapping.codes import UnmappedPolicy
from gateway.model.code_table import CodeVersion, UnmappedCode
from gateway.model.delivery import Delivery, DeliveryState, Lane
from gateway.model.journal import Alert
from gateway.styles.served import Served
from gateway.styles.table import STYLES
from tests.partners.fake_partner import WIRE, sample

PARTNER = """
url = "http://127.0.0.1:9/Service.asmx"
dialect = "call-interface"
wsdl = "service.wsdl"

[operations.SubmitRequisition]
function = "Add"
request = "request.xsl"
success = { xpath = "//Code", accepted = ["0"] }
"""
REQUEST = """<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:template match="/Request">
    <Request>
      <Dept><xsl:value-of select="g:code('department', PerformDeptCode)"/></Dept>
      <From><xsl:value-of select="g:code('department', OrderingDeptCode)"/></From>
      <Sex><xsl:value-of select="g:code('sex', Patient/SexCode)"/></Sex>
      <xsl:if test="Priority = 'STAT'"><xsl:value-of select="g:fail('no beds')"/></xsl:if>
    </Request>
  </xsl:template>
</xsl:stylesheet>"""


@pytest.fixture
def session(site: Path, migrated: str):
    folder = site / "partners" / "PACS"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "partner.toml").write_text(PARTNER)
    (folder / "request.xsl").write_text(REQUEST)
    (folder / "service.wsdl").write_bytes(Served(STYLES["call-interface"]).wsdl("http://127.0.0.1:9/Service.asmx"))
    engine = create_engine(migrated)
    clear(engine)
    with Session(engine) as session:
        session.execute(text("DELETE FROM procrastinate_jobs"))
        session.commit()
        yield session
    engine.dispose()


def sent(session: Session, department: str, *, many: int = 1, days_ago: int = 1, **other: object) -> None:
    request = dataclasses.replace(sample("SubmitRequisition"), perform_dept_code=department, ordering_dept_code="0100")
    for _ in range(many):
        row = {
            "partner": "PACS",
            "operation": "SubmitRequisition",
            "lane": Lane.NORMAL,
            "lock": "requisition|PACS|H1||R1",
            "state": DeliveryState.DELIVERED,
            "attempts": 1,
            "txn_no": "G1",
            "hospital_code": "H1",
            "origin_sender_code": "HIS",
            "origin_message_id": "M1",
            "subject": "R1",
            "request": WIRE.write(request),
            "created_at": datetime.now(UTC) - timedelta(days=days_ago),
        }
        session.add(Delivery(**row | other))
    session.commit()


def use(gateway: Command, folder: Path, rows: str, *, table: str = "department", activate: bool = True) -> None:
    (folder / "codes.csv").write_text(f"本院代码,对方代码\n{rows}", "utf-8")
    assert gateway("codes", "import", table, folder / "codes.csv", "--partner", "PACS").code == 0
    if activate:
        assert gateway("codes", "activate", table, "--partner", "PACS", "--yes").code == 0


def lines(said: Said) -> list[list[str]]:
    assert said.code == 0, said
    return [line.split() for line in said.out.splitlines()]


def test_how_much_of_last_week_s_codes_has_a_row_is_counted(gateway: Command, session: Session, tmp_path: Path):
    use(gateway, tmp_path, "0100,NK\n0103,FSK\n")
    sent(session, "0103", many=3)
    sent(session, "0577", many=2)
    sent(session, "0999", days_ago=8)
    said = gateway("codes", "coverage", "--report", tmp_path / "missing.csv")
    assert said.out.startswith("Messages looked at: 5.")
    department, sex = (row for row in lines(said) if row[:2] == ["H1", "PACS"])
    assert department == ["H1", "PACS", "department", "ours", "to", "theirs", "3", "2", "5", "3", "0577", "(2)"]
    assert sex[2:10] == ["sex", "ours", "to", "theirs", "1", "0", "5", "0"]
    assert "H1,PACS,department,ours to theirs,0577,2" in (tmp_path / "missing.csv").read_text("utf-8-sig")


def test_what_has_a_stylesheet_of_its_own_or_is_kept_back_is_heard_too(gateway: Command, session: Session, site: Path):
    folder = site / "partners" / "PACS"
    cancel = PARTNER[PARTNER.index("[operations") :].replace("SubmitRequisition", '"SubmitRequisition.CANCEL"')
    (folder / "partner.toml").write_text(PARTNER + cancel.replace("request.xsl", "cancel.xsl"))
    (folder / "cancel.xsl").write_text(
        REQUEST.replace("'department', PerformDeptCode", "'cancelled', PerformDeptCode").replace("g:fail", "g:skip")
    )
    request = dataclasses.replace(sample("SubmitRequisition"), action="CANCEL", priority="STAT")
    sent(session, "0103", request=WIRE.write(request))
    said = gateway("codes", "coverage")
    assert "cannot be mapped" not in said.err
    assert {row[2] for row in lines(said) if row[:2] == ["H1", "PACS"]} == {"cancelled", "department", "sex"}


def test_looking_counts_nothing_as_unmapped_and_alarms_nobody(gateway: Command, session: Session):
    sent(session, "0577")
    assert gateway("codes", "coverage").code == 0
    assert session.scalars(select(UnmappedCode)).all() == []
    assert session.scalars(select(Alert)).all() == []


def test_what_was_met_in_messages_that_are_not_kept_counts_too(gateway: Command, session: Session, tmp_path: Path):
    """Such as answers of partners, and what a facade has refused."""
    sent(session, "0577")
    answer = Asked("status", "77", "PACS", "H1", outbound=False)
    for asked, days_ago in ((answer, 1), (dataclasses.replace(answer, value="old"), 8)):
        remember(session, asked, UnmappedPolicy.PARK, 3, datetime.now(UTC) - timedelta(days=days_ago))
    remember(
        session, Asked("department", "0577", "PACS", "H1", outbound=True), UnmappedPolicy.PARK, 9, datetime.now(UTC)
    )
    session.commit()
    rows = [row for row in lines(gateway("codes", "coverage")) if row[:2] == ["H1", "PACS"]]
    assert ["H1", "PACS", "status", "theirs", "to", "ours", "1", "0", "3", "0", "77", "(3)"] in rows
    assert [row[8] for row in rows if row[2] == "department"] == ["1"], "those heard in messages are counted there"
    use(gateway, tmp_path, "9,77\n", table="status", activate=False)
    said = gateway("codes", "what-if", "status", "--partner", "PACS")
    assert "0 lose their row, 0 change, 1 get a row." in said.out


def test_a_message_sent_again_is_counted_once(gateway: Command, session: Session):
    sent(session, "0577")
    sent(session, "0577", replay_of=1)
    assert gateway("codes", "coverage").out.startswith("Messages looked at: 1.")


def test_what_a_draft_would_change_is_shown_before_it_counts(gateway: Command, session: Session, tmp_path: Path):
    use(gateway, tmp_path, "0100,NK\n0103,FSK\n0104,CSK\n")
    for department, many in (("0103", 3), ("0104", 1), ("0577", 2)):
        sent(session, department, many=many)
    use(gateway, tmp_path, "0100,NK\n0103,RAD\n0577,XGK\n", activate=False)
    said = gateway("codes", "what-if", "department", "--partner", "PACS", "--report", tmp_path / "changes.csv")
    shown = [line.split() for line in said.out.splitlines()[2:5]]
    assert shown[0] == ["loses", "its", "row", "PACS", "department", "ours", "to", "theirs", "0104", "CSK", "1"]
    assert shown[1] == ["changes", "PACS", "department", "ours", "to", "theirs", "0103", "FSK", "RAD", "3"]
    assert shown[2] == ["gets", "a", "row", "PACS", "department", "ours", "to", "theirs", "0577", "XGK", "2"]
    assert "1 lose their row, 1 change, 1 get a row." in said.out
    assert (tmp_path / "changes.csv").read_text("utf-8-sig").count("\n") == 4
    assert session.scalars(select(CodeVersion.state).order_by(CodeVersion.number)).all() == ["ACTIVE", "DRAFT"]


def test_a_draft_that_changes_nothing_says_so(gateway: Command, session: Session, tmp_path: Path):
    use(gateway, tmp_path, "0100,NK\n0103,FSK\n")
    sent(session, "0103")
    use(gateway, tmp_path, "0100,NK\n0103,FSK\n0888,X\n", activate=False)
    said = gateway("codes", "what-if", "department", "--partner", "PACS")
    assert said.out.splitlines()[-1].endswith("0 lose their row, 0 change, 0 get a row.")


def test_a_partner_s_first_draft_is_compared_with_the_table_for_all(gateway: Command, session: Session, tmp_path: Path):
    (tmp_path / "all.csv").write_text("本院代码,对方代码\n0100,NK\n0103,FSK\n", "utf-8")
    gateway("codes", "import", "department", tmp_path / "all.csv")
    gateway("codes", "activate", "department", "--yes")
    sent(session, "0103")
    use(gateway, tmp_path, "0103,RAD\n", activate=False)
    said = gateway("codes", "what-if", "department", "--partner", "PACS")
    assert "1 lose their row, 1 change, 0 get a row." in said.out


def test_the_day_on_which_a_draft_is_to_count_can_be_given(gateway: Command, session: Session, tmp_path: Path):
    use(gateway, tmp_path, "0100,NK\n0103,FSK\n")
    sent(session, "0103")
    (tmp_path / "new.csv").write_text("本院代码,对方代码,生效日期\n0100,NK,\n0103,RAD,2031-01-01\n", "utf-8")
    gateway("codes", "import", "department", tmp_path / "new.csv", "--partner", "PACS")
    said = gateway("codes", "what-if", "department", "--partner", "PACS")
    assert "1 lose their row" in said.out
    said = gateway("codes", "what-if", "department", "--partner", "PACS", "--on", "2031-01-01")
    assert "0 lose their row, 1 change" in said.out


def test_messages_that_cannot_be_mapped_are_told_and_the_newest_count(gateway: Command, session: Session):
    sent(session, "0103", many=3)
    request = dataclasses.replace(sample("SubmitRequisition"), priority="STAT")
    sent(session, "0103", request=WIRE.write(request))
    said = gateway("codes", "coverage", "--most", "2")
    assert "PACS: the newest 2 of 4 messages are looked at." in said.err
    assert "PACS: 1 of 2 messages cannot be mapped" in said.err


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("coverage", "--partner", "LIS"), "There is no partner LIS"),
        (("what-if", "sex", "--partner", "PACS"), "There is no table sex of PACS at H1"),
    ],
)
def test_what_cannot_be_looked_at_is_said_in_one_line(gateway: Command, session: Session, words, reason: str):
    assert reason in gateway("codes", *words).mistake
