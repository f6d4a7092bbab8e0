"""`gateway partner add --example`: partners for which everything ships, ready to be tried against simulated systems."""

from pathlib import Path

import pytest
from at_the_terminal import Command

from gateway.cli.partner_add import EXAMPLES

HOOKS = ("queue-calling", "message-platform")
KINDS = sorted([*(path.parent.name for path in EXAMPLES.glob("*/wsdl")), *HOOKS])


@pytest.mark.parametrize("kind", KINDS)
def test_an_example_passes_every_check_as_it_is(kind: str, gateway: Command, empty_site: Path):
    said = gateway("partner", "add", "VENDOR", "--example", kind)
    assert (said.code, said.err) == (0, "")
    assert 'partners = ["VENDOR"]' in said.out
    checked = gateway("partner", "check", "VENDOR")
    wrong = [line for line in checked.out.splitlines() if line.startswith("✗")]
    assert not wrong, wrong


@pytest.mark.parametrize("kind", ["database-pacs", "ecg-database"])
def test_an_example_with_a_password_leaves_a_site_that_can_be_read(kind: str, gateway: Command, empty_site: Path):
    said = gateway("partner", "add", "MIDDLE", "--example", kind)
    assert said.code == 0, said
    secret = empty_site / "partners" / "MIDDLE" / "password"
    assert f"Write the password of gateway into {secret}" in said.out
    assert secret.stat().st_mode & 0o777 == 0o600
    assert "`gateway client add MIDDLE --right ReportStatus --right SubmitReport`" in said.out
    checked = gateway("partner", "check", "MIDDLE")
    assert (checked.code, "✗" in checked.out) == (0, False), checked
    assert any(line.startswith("  ") for line in checked.out.splitlines()), "rows are shown indented"


def test_an_unknown_example_is_answered_with_those_there_are(gateway: Command, empty_site: Path):
    mistake = gateway("partner", "add", "VENDOR", "--example", "his2").mistake
    assert mistake.startswith("There is no example his2; there are: anaesthesia, ")


@pytest.mark.parametrize("words", [(), ("--wsdl", "x.wsdl", "--example", "pacs")])
def test_a_partner_comes_from_a_wsdl_or_from_an_example(words: tuple[str, ...], gateway: Command, empty_site: Path):
    assert gateway("partner", "add", "VENDOR", *words).mistake == "Give either --wsdl or --example."


def test_nothing_is_overwritten(gateway: Command, empty_site: Path):
    gateway("partner", "add", "VENDOR", "--example", "pacs")
    assert "already holds" in gateway("partner", "add", "VENDOR", "--example", "his").mistake
