"""`gateway facade`: a facade from a set that ships, tried before any vendor calls it."""

from pathlib import Path

import pytest
from at_the_terminal import Command

from gateway.cli.facades import sets


@pytest.mark.parametrize("name", sets())
def test_every_set_that_ships_becomes_a_facade_that_works(empty_site: Path, gateway: Command, name: str):
    assert gateway("facade", "add", "HIP", "--from", name).code == 0
    said = gateway("facade", "check", "HIP")
    assert (said.code, "✗" in said.out) == (0, False)
    assert "✓" in said.out.splitlines()[-1]
    assert "gateway:facades/" not in (empty_site / "facades" / "HIP" / "facade.toml").read_text("utf-8")


def test_a_check_shows_what_becomes_of_a_sample(empty_site: Path, gateway: Command):
    gateway("facade", "add", "HIP", "--from", "hip-hl7v3")
    shown = gateway("facade", "check", "HIP", "--show").out
    assert "<RequisitionNo>SQ202611160021</RequisitionNo>" in shown
    assert '<acknowledgement typeCode="AA">' in shown
    assert '<acknowledgement typeCode="AR">' in shown


def test_a_facade_is_never_overwritten(empty_site: Path, gateway: Command):
    gateway("facade", "add", "HIP", "--from", "call")
    again = gateway("facade", "add", "HIP", "--from", "call")
    assert (again.code, "never overwritten" in again.err) == (1, True)


def test_what_is_not_there_is_told_with_what_is(empty_site: Path, gateway: Command):
    assert "hip-hl7v3" in gateway("facade", "add", "X", "--from", "nothing").err
    assert "known are: none" in gateway("facade", "check", "X").err
    assert "has 1 to 40 letters, digits, - and _" in gateway("facade", "add", "检验", "--from", "call").mistake
    assert list((empty_site / "facades").glob("*")) == []


def test_the_list_names_addresses_and_sets(empty_site: Path, gateway: Command):
    gateway("facade", "add", "HIP", "--from", "hip-hl7v3")
    said = gateway("facade", "list")
    assert "/facade/HIP" in said.out
    assert "request-header-body" in said.err


def test_a_facade_for_every_operation_is_listed_as_that(empty_site: Path, gateway: Command):
    gateway("facade", "add", "HIP", "--from", "call")
    assert gateway("facade", "list").out.splitlines()[1].rstrip().endswith("every operation")


def test_an_operation_our_contract_does_not_have_is_told_before_a_vendor_meets_it(empty_site: Path, gateway: Command):
    gateway("facade", "add", "HIP", "--from", "call")
    settings = empty_site / "facades" / "HIP" / "facade.toml"
    settings.write_text(
        settings.read_text("utf-8").replace('operation = "ReportStatus"', 'operation = "Report"'), "utf-8"
    )
    said = gateway("facade", "check", "HIP")
    assert said.code == 1
    assert "✗ functions.ReportStatus: our contract has no operation Report" in said.out
    assert "our contract has no operation Report" in gateway("check").out


def test_a_broken_stylesheet_is_told_by_file_and_line(empty_site: Path, gateway: Command):
    gateway("facade", "add", "HIP", "--from", "call")
    sheet = empty_site / "facades" / "HIP" / "request.xsl"
    sheet.write_text(sheet.read_text("utf-8").replace("</xsl:stylesheet>", ""), "utf-8")
    said = gateway("facade", "check", "HIP")
    assert said.code == 1
    assert f"{sheet}, line" in said.out
    assert str(sheet) in gateway("check").out


def test_a_sample_that_cannot_be_taken_says_why(empty_site: Path, gateway: Command):
    gateway("facade", "add", "HIP", "--from", "call")
    sample = empty_site / "facades" / "HIP" / "samples" / "ReportStatus.xml"
    sample.write_text(sample.read_text("utf-8").replace("<StatusSeq>1<", "<StatusSeq>one<"), "utf-8")
    said = gateway("facade", "check", "HIP")
    assert said.code == 1
    assert "✗ ReportStatus.xml: SYS-400 (Request/StatusSeq)" in said.out


def test_an_address_that_is_trusted_is_warned_of(empty_site: Path, gateway: Command):
    gateway("facade", "add", "HIP", "--from", "call")
    settings = empty_site / "facades" / "HIP" / "facade.toml"
    settings.write_text('client = "PACS"\naddresses = ["10.1.2.0/24"]\n' + settings.read_text("utf-8"), "utf-8")
    assert "! facade HIP: whoever calls from 10.1.2.0/24 is PACS without any proof" in gateway("check").out
    assert "PACS, by address" in gateway("facade", "list").out
