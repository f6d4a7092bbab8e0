"""`gateway partner check`: what our messages become for a partner, before and while it is really called."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from at_the_terminal import Command

from gateway.styles.served import Served
from gateway.styles.style import Said
from gateway.styles.table import STYLES
from tests.partners.test_wsdl_fetching import Web
from tests.partners.vendor import Vendor

ODD = Path(__file__).parents[1] / "partners" / "wsdls"


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    """A PACS that is spoken to in strings."""
    found = Vendor(Served(STYLES["call-interface"]))
    yield found
    found.close()


@pytest.fixture
def web() -> Iterator[Web]:
    """A web server that gives WSDLs."""
    found = Web()
    yield found
    found.close()


@pytest.fixture
def pacs(gateway: Command, empty_site: Path, vendor: Vendor, tmp_path: Path) -> Path:
    """Its folder, as it was added from its WSDL."""
    (tmp_path / "pacs.wsdl").write_bytes(vendor.served.wsdl(vendor.url))
    assert gateway("partner", "add", "PACS2", "--wsdl", tmp_path / "pacs.wsdl").code == 0
    return empty_site / "partners" / "PACS2"


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_what_was_added_is_shown_as_it_would_be_sent(gateway: Command, pacs: Path):
    said = gateway("partner", "check", "PACS2")
    assert said.code == 0, said
    assert "✓ wsdl/pacs.wsdl: port ServiceSoap of SOAP 1.1, 1 operations" in said.out
    assert "✓ SubmitRequisition: SubmitRequisition.request.xsl makes a request of CallInterface" in said.out
    assert "<serverName>SubmitRequisition</serverName>" in said.out
    assert "<RequisitionNo>SQ202611160012</RequisitionNo>" in said.out
    assert "✓ SubmitRequisition: it fits the partner's schema" in said.out
    assert "No route of gateway.toml leads to PACS2" in said.err


def test_nothing_is_sent_unless_it_is_asked_for(gateway: Command, pacs: Path, vendor: Vendor):
    gateway("partner", "check", "PACS2")
    assert vendor.asked == []


def test_one_operation_can_be_checked_alone(gateway: Command, pacs: Path):
    said = gateway("partner", "check", "PACS2", "--operation", "SubmitRequisition")
    assert "AcknowledgeCriticalValue:" not in said.out


def test_a_broken_stylesheet_is_told_with_its_line(gateway: Command, pacs: Path):
    replace(pacs / "SubmitRequisition.request.xsl", '<xsl:copy-of select="*"/>', '<xsl:copy-of select="*["/>')
    said = gateway("partner", "check", "PACS2")
    assert said.code == 1
    assert "✗ SubmitRequisition:" in said.out
    assert "SubmitRequisition.request.xsl, line " in said.out
    assert "gateway: 1 of the above must be put right." in said.err


def test_a_function_nobody_has_is_told_without_what_the_message_holds(gateway: Command, pacs: Path):
    replace(
        pacs / "SubmitRequisition.request.xsl",
        '<xsl:copy-of select="*"/>',
        '<A><xsl:value-of select="g:kode(Patient/PatientName)"/></A>',
    )
    said = gateway("partner", "check", "PACS2", "--operation", "SubmitRequisition")
    assert "it calls a function that does not exist" in said.out
    assert "王" not in said.out


def test_an_operation_our_contract_does_not_have_is_told_here_and_by_the_check_of_the_site(
    gateway: Command, site: Path, pacs: Path
):
    replace(pacs / "partner.toml", "[operations.SubmitRequisition]", "[operations.SubmitRequest]")
    wanted = "partner.toml has [operations.SubmitRequest], which is no operation of our contract."
    assert wanted in gateway("partner", "check", "PACS2").out
    assert wanted in gateway("check").out


def test_a_broken_stylesheet_also_fails_the_check_of_the_site(gateway: Command, site: Path, pacs: Path):
    replace(pacs / "SubmitRequisition.request.xsl", "</xsl:stylesheet>", "")
    said = gateway("check")
    assert said.code == 1
    assert "✗ Partner PACS2, SubmitRequisition:" in said.out


def test_what_does_not_fit_the_partners_schema_is_told(gateway: Command, empty_site: Path):
    gateway("partner", "add", "PACS2", "--wsdl", ODD / "asmx_numbers_required.wsdl")
    said = gateway("partner", "check", "PACS2")
    assert said.code == 1
    assert "✗ SubmitRequisition:" in said.out


def test_a_typed_partner_gets_its_own_elements(gateway: Command, empty_site: Path):
    gateway("partner", "add", "PACS2", "--wsdl", ODD / "asmx_chinese_parameters.wsdl")
    said = gateway("partner", "check", "PACS2")
    assert said.code == 0, said
    assert ":GetPatient" in said.out


def test_a_route_without_a_mapping_is_told(gateway: Command, pacs: Path):
    main = pacs.parents[1] / "gateway.toml"
    main.write_text(main.read_text() + '\n[[routes]]\noperation = "ChargeItem"\npartners = ["PACS2"]\n')
    said = gateway("partner", "check", "PACS2")
    assert "✗ gateway.toml routes ChargeItem to PACS2, but its partner.toml has no [operations.ChargeItem]" in said.out


def test_code_tables_that_are_asked_are_named(gateway: Command, pacs: Path):
    replace(
        pacs / "SubmitRequisition.request.xsl",
        '<xsl:copy-of select="*"/>',
        "<Dept><xsl:value-of select=\"g:code('department', PerformDeptCode)\"/></Dept>",
    )
    said = gateway("partner", "check", "PACS2")
    assert "<Dept>0103</Dept>" in said.out
    assert "Code tables that were asked: department" in said.err


REPLY = (
    '<CallInterfaceResponse xmlns="http://tempuri.org/"><CallInterfaceResult>&lt;Response&gt;&lt;ResultCode&gt;{code}'
    "&lt;/ResultCode&gt;&lt;/Response&gt;</CallInterfaceResult></CallInterfaceResponse>"
)


@pytest.mark.parametrize(("code", "told"), [("0", "means yes"), ("7", "means no (7"), ("", "the answer is UNCLEAR")])
def test_a_kept_answer_is_understood(code: str, told: str, gateway: Command, pacs: Path):
    (pacs / "samples").mkdir()
    (pacs / "samples" / "SubmitRequisition.reply.xml").write_text(REPLY.format(code=code))
    said = gateway("partner", "check", "PACS2", "--operation", "SubmitRequisition")
    assert told in said.out
    assert said.code == (0 if code else 1)


def test_the_stylesheet_of_the_answer_is_tried_too(gateway: Command, pacs: Path):
    (pacs / "samples").mkdir()
    (pacs / "samples" / "SubmitRequisition.reply.xml").write_text(REPLY.format(code="0"))
    replace(
        pacs / "SubmitRequisition.response.xsl",
        "<Response/>",
        "<Response><AccessionNo><xsl:value-of select=\"g:request('RequisitionNo')\"/></AccessionNo></Response>",
    )
    said = gateway("partner", "check", "PACS2", "--operation", "SubmitRequisition")
    assert "<AccessionNo>SQ202611160012</AccessionNo>" in said.out


def test_a_partner_is_really_called_with_what_was_named(gateway: Command, pacs: Path, vendor: Vendor):
    vendor.answer = lambda asked: Said("<Response><ResultCode>0</ResultCode></Response>")
    said = gateway("partner", "check", "PACS2", "--live", "--operation", "SubmitRequisition", "--yes")
    assert said.code == 0, said
    assert "✓ SubmitRequisition at PACS2: ANSWERED, 0" in said.out
    (asked,) = vendor.asked
    assert asked.message_id.startswith("CHECK-")


def test_what_is_no_query_is_not_sent_without_a_yes(gateway: Command, pacs: Path, vendor: Vendor):
    said = gateway("partner", "check", "PACS2", "--live", "--operation", "SubmitRequisition")
    assert said.code == 2
    assert "Nothing was sent." in said.err
    assert vendor.asked == []


def test_without_a_query_among_its_operations_one_must_be_named(gateway: Command, pacs: Path, vendor: Vendor):
    said = gateway("partner", "check", "PACS2", "--live")
    assert said.code == 2
    assert "has no query among its operations, so nothing was sent" in said.err
    assert vendor.asked == []


def test_a_partner_without_queries_is_at_least_asked_for_its_wsdl(
    gateway: Command, pacs: Path, vendor: Vendor, web: Web
):
    web.pages["/Service.asmx?wsdl"] = vendor.served.wsdl(vendor.url)
    replace(pacs / "partner.toml", vendor.url, web.address)
    said = gateway("partner", "check", "PACS2", "--live")
    assert said.code == 0, said
    assert "✓ PACS2: its WSDL is as it was copied" in said.out
    assert "so nothing was sent" in said.err


def test_a_partner_that_does_not_answer_is_told(gateway: Command, pacs: Path, vendor: Vendor):
    replace(pacs / "partner.toml", vendor.url, "http://127.0.0.1:9/")
    said = gateway("partner", "check", "PACS2", "--live", "--operation", "SubmitRequisition", "--yes")
    assert said.code == 1
    assert "✗ SubmitRequisition at PACS2: NOT_SENT" in said.out


def test_a_sample_of_the_partners_own_takes_the_place_of_ours(gateway: Command, pacs: Path):
    ours = (Path(__file__).parents[2] / "wsdl" / "samples" / "SubmitRequisition.xml").read_text()
    (pacs / "samples").mkdir()
    (pacs / "samples" / "SubmitRequisition.request.xml").write_text(ours.replace("SQ202611160012", "SQ7"))
    said = gateway("partner", "check", "PACS2", "--operation", "SubmitRequisition")
    assert "<RequisitionNo>SQ7</RequisitionNo>" in said.out
    (pacs / "samples" / "SubmitRequisition.request.xml").write_text("<a/>")
    assert "SubmitRequisition.request.xml is no SOAP envelope" in gateway("partner", "check", "PACS2").out


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("", "", "✓ PACS2: its WSDL is as it was copied"),
        (
            "msgBody",
            "msgContent",
            "✗ CallInterface of PACS2 has changed since its WSDL was copied: it takes msgHeader: string,",
        ),
    ],
)
def test_a_wsdl_that_has_changed_is_told(
    old: str, new: str, told: str, gateway: Command, pacs: Path, vendor: Vendor, web: Web
):
    web.pages["/Service.asmx?wsdl"] = vendor.served.wsdl(vendor.url).replace(old.encode(), new.encode())
    replace(pacs / "partner.toml", vendor.url, web.address)
    said = gateway("partner", "check", "PACS2", "--live", "--operation", "SubmitRequisition")
    assert told in said.out


def test_a_partner_of_hl7_over_mllp_is_shown_its_segments(gateway: Command, empty_site: Path):
    folder = empty_site / "partners" / "LIS2"
    folder.mkdir()
    (folder / "partner.toml").write_text(
        'url = "mllp://127.0.0.1:9"\ndialect = "hl7-mllp"\n[operations.SubmitRequisition]\n'
        'request = "gateway:hl7/requisition-to-hl7.xsl"\n'
    )
    said = gateway("partner", "check", "LIS2")
    assert said.code == 0, said
    assert "MSH|^~" in said.out
    assert "SQ202611160012" in said.out


def test_settings_for_one_action_alone_are_tried_with_that_action(gateway: Command, pacs: Path):
    text = (pacs / "SubmitRequisition.request.xsl").read_text()
    (pacs / "cancel.xsl").write_text(
        text.replace('<xsl:copy-of select="*"/>', '<Cancel><xsl:value-of select="Action"/></Cancel>')
    )
    with (pacs / "partner.toml").open("a") as file:
        file.write('\n[operations."SubmitRequisition.CANCEL"]\nfunction = "Cancel"\nrequest = "cancel.xsl"\n')
    said = gateway("partner", "check", "PACS2", "--operation", "SubmitRequisition")
    assert "<Cancel>CANCEL</Cancel>" in said.out
    assert said.code == 0, said


def test_a_partner_with_our_own_contract_has_nothing_to_be_mapped(gateway: Command, empty_site: Path):
    gateway("partner", "add", "PACS2", "--wsdl", Path(__file__).parents[2] / "wsdl" / "gateway.wsdl")
    said = gateway("partner", "check", "PACS2")
    assert (said.code, said.out) == (0, "✓ PACS2 serves our own contract: nothing is mapped\n")
