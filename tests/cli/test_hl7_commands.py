"""The commands about HL7."""

from pathlib import Path

from at_the_terminal import Command

ORDER = "MSH|^~\\&|HIS||GW||20261116||ORM^O01|M1|P|2.4\rPID|1||P1||王\r"


def test_a_message_is_shown_as_stylesheets_see_it(tmp_path: Path, gateway: Command):
    (tmp_path / "order.hl7").write_bytes(ORDER.encode("gb18030"))
    said = gateway("hl7", "show", tmp_path / "order.hl7")
    assert said.code == 0
    assert "<PID.5.1>王</PID.5.1>" in said.out


def test_what_is_no_message_is_said_by_its_place(tmp_path: Path, gateway: Command):
    (tmp_path / "order.hl7").write_text("PID|1||P1||王")
    said = gateway("hl7", "show", tmp_path / "order.hl7")
    assert said.code != 0
    assert "(MSH)" in said.err
    assert "王" not in said.err


def test_without_a_port_there_is_nothing_to_serve(empty_site: Path, gateway: Command):
    said = gateway("hl7", "serve", "--folder", empty_site)
    assert said.code == 2
    assert "[[hl7]]" in said.err


def test_check_compiles_the_stylesheets_of_every_port(site: Path, gateway: Command):
    port = '[[hl7]]\nname = "LAB"\nclient = "LIS"\nport = 6661\naddresses = ["10.0.0.0/8"]\n'
    settings = site / "gateway.toml"
    settings.write_text(settings.read_text() + port)
    assert "HL7: LAB on port 6661 for LIS" in gateway("check", "--folder", site).out
    message = '[[hl7.messages]]\ntypes = ["ORU^R01"]\noperation = "SubmitReport"\nrequest = "none.xsl"\n'
    settings.write_text(settings.read_text() + message)
    said = gateway("check", "--folder", site)
    assert said.code != 0
    assert "none.xsl" in said.out


def test_a_certificate_that_cannot_be_used_stops_the_start_in_one_line(site: Path, gateway: Command):
    port = '[[hl7]]\nname = "LAB"\nclient = "LIS"\nport = 6661\ncertificate_file = "none.pem"\nca_file = "none.pem"\n'
    settings = site / "gateway.toml"
    settings.write_text(settings.read_text() + port)
    said = gateway("hl7", "serve", "--folder", site)
    assert said.code == 2
    assert "hl7 LAB: its certificate, key or authority cannot be used" in said.err
    assert len(said.err.splitlines()) == 1
    assert "its certificate, key or authority" in gateway("check", "--folder", site).out
