"""`gateway partner add`: from a vendor's WSDL to a partner that can be checked."""

import stat
import tomllib
from pathlib import Path

import pytest
from at_the_terminal import Command

ODD = Path(__file__).parents[1] / "partners" / "wsdls"


def settings_of(site: Path, name: str = "PACS2") -> dict:
    return tomllib.loads((site / "partners" / name / "partner.toml").read_text())


def test_a_partner_is_added_from_its_wsdl(gateway: Command, empty_site: Path):
    said = gateway("partner", "add", "PACS2", "--wsdl", ODD / "style_callinterface.wsdl")
    assert (said.code, said.err) == (0, "")
    assert "CallInterface  msgHeader: string, msgBody: string" in said.out
    assert "Dialect: call-interface, as CallInterface takes msgHeader, msgBody." in said.out
    assert 'operation = "SubmitRequisition"\npartners = ["PACS2"]' in said.out
    assert "`gateway partner check PACS2`" in said.out
    made = settings_of(empty_site)
    assert (made["dialect"], made["wsdl"]) == ("call-interface", "wsdl/style_callinterface.wsdl")
    assert made["url"] == "http://his.example.org/HospitalService.asmx"
    assert set(made["operations"]) == {"SubmitRequisition", "AcknowledgeCriticalValue"}


def test_repairs_are_listed(gateway: Command, empty_site: Path):
    said = gateway("partner", "add", "PACS2", "--wsdl", ODD / "text_standalong.wsdl")
    assert "put right the XML declaration" in said.out


def test_what_is_added_passes_the_check_of_the_site(gateway: Command, site: Path):
    for name in ("asmx_nested_classes", "style_hl7_string", "style_getmq", "style_techservice", "axis1_rpc_encoded"):
        assert gateway("partner", "add", f"P{name[-6:]}", "--wsdl", ODD / f"{name}.wsdl").code == 0
    said = gateway("check")
    assert said.code == 0, said


def test_fields_of_the_same_name_are_filled_and_the_others_left_to_be_written(gateway: Command, empty_site: Path):
    gateway("partner", "add", "PACS2", "--wsdl", ODD / "asmx_nested_classes.wsdl")
    text = (empty_site / "partners" / "PACS2" / "SubmitRequisition.request.xsl").read_text()
    assert '<p:Name><xsl:value-of select="Patient/PatientName"/></p:Name>' in text
    assert '<xsl:for-each select="Items/Item">' in text
    assert '<p:Code><xsl:value-of select="ItemCode"/></p:Code>' in text
    assert "<p:No><!-- string: to be written --></p:No>" in text
    assert "申请单号" in text


def test_a_his_is_sent_what_departments_tell(gateway: Command, empty_site: Path):
    said = gateway("partner", "add", "HIS2", "--wsdl", ODD / "style_call.wsdl")
    assert 'operation = "ChargeItem"' in said.out
    assert set(settings_of(empty_site, "HIS2")["operations"]) == {
        "ReportStatus", "SubmitReport", "ChargeItem", "RefundItem", "PushCriticalValue",
    }  # fmt: skip


def test_another_dialect_and_port_can_be_chosen(gateway: Command, empty_site: Path):
    gateway(
        "partner",
        "add",
        "PACS2",
        "--wsdl",
        ODD / "asmx_four_ports.wsdl",
        "--dialect",
        "typed",
        "--port",
        "HospitalSoap12",
    )
    made = settings_of(empty_site)
    assert (made["dialect"], made["port"], made["soap_version"]) == ("typed", "HospitalSoap12", "1.2")


def test_a_partner_with_our_own_contract_needs_no_stylesheets(gateway: Command, empty_site: Path):
    said = gateway("partner", "add", "PACS2", "--wsdl", Path(__file__).parents[2] / "wsdl" / "gateway.wsdl")
    assert "It serves our own contract" in said.out
    assert settings_of(empty_site)["dialect"] == "canonical"


def test_the_example_of_gateway_init_does_not_stand_in_the_way(gateway: Command, empty_site: Path):
    assert gateway("partner", "add", "PACS", "--wsdl", ODD / "style_call.wsdl").code == 0
    assert (empty_site / "partners" / "PACS" / "partner.toml.example").exists()


def test_nothing_is_overwritten(gateway: Command, empty_site: Path):
    gateway("partner", "add", "PACS2", "--wsdl", ODD / "style_call.wsdl")
    before = (empty_site / "partners" / "PACS2" / "partner.toml").read_text()
    said = gateway("partner", "add", "PACS2", "--wsdl", ODD / "asmx_one_string.wsdl")
    assert said.code == 2
    assert "nothing is overwritten" in said.mistake
    assert (empty_site / "partners" / "PACS2" / "partner.toml").read_text() == before


def test_a_wsdl_that_cannot_be_loaded_is_explained_and_leaves_nothing_behind(gateway: Command, empty_site: Path):
    said = gateway("partner", "add", "PACS2", "--wsdl", ODD / "refused" / "login_page.wsdl")
    assert said.code == 1
    assert "is the page of a login, no WSDL" in said.mistake
    assert [
        path.name for path in (empty_site / "partners").iterdir() if path.name not in ("HIS", "PACS", "LIS", "EMR")
    ] == []


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["PACS 2", "--wsdl", "x.wsdl"], "1 to 20 visible ASCII characters"),
        (["../PACS", "--wsdl", "x.wsdl"], "cannot be the name of a folder"),
        (["PACS2", "--wsdl", "x.wsdl", "--dialect", "corba"], "There is no dialect corba"),
        (["PACS2", "--wsdl", "x.wsdl", "--user", "gw"], "--user needs --password-stdin"),
        (["PACS2", "--wsdl", str(ODD / "style_call.wsdl"), "--port", "Other"], "it has HospitalSoap"),
    ],
)
def test_a_wrong_command_is_told(arguments: list[str], why: str, gateway: Command, empty_site: Path):
    said = gateway("partner", "add", *arguments)
    assert said.code == 2
    assert why in said.mistake


def test_only_this_user_can_read_what_was_written(gateway: Command, empty_site: Path):
    gateway("partner", "add", "PACS2", "--wsdl", ODD / "cache_password_in_address.wsdl")
    folder = empty_site / "partners" / "PACS2"
    assert stat.S_IMODE((folder / "partner.toml").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_password_in_an_address_is_not_printed(gateway: Command, empty_site: Path):
    said = gateway("partner", "add", "PACS2", "--wsdl", ODD / "cache_password_in_address.wsdl")
    assert "secret" not in said.out + said.err
