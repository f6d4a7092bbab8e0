"""Whatever a partner's WSDL is, the settings and stylesheets written for it can be used."""

import datetime
import tomllib
from pathlib import Path

import pytest

from gateway.mapping.functions import Circumstances, under
from gateway.mapping.ours import as_source
from gateway.mapping.stylesheet import Stylesheet
from gateway.partner_config import Partner
from gateway.partners.wsdl.copying import copy_wsdl
from gateway.partners.wsdl.describing import describe, guess_dialect
from gateway.partners.wsdl.loading import load
from gateway.partners.wsdl.matching import propose
from gateway.partners.wsdl.skeleton import Choice, files
from tests.partners.fake_partner import CONTRACT, WIRE, sample

WSDLS = sorted(
    path for path in (Path(__file__).parent / "wsdls").glob("*.wsdl") if path.name != "jaxws_only_types.wsdl"
)


def partner(path: Path, folder: Path, name: str = "PACS") -> Partner:
    """A partner as `gateway partner add` writes it."""
    copied = copy_wsdl(path, folder / "wsdl", seconds=1)
    port = describe(load(copied.wsdl))[0]
    guess = guess_dialect(port)
    made = Choice(
        name=name,
        source=path.name,
        wsdl=f"wsdl/{copied.wsdl.name}",
        port=port,
        dialect=guess.dialect,
        guess=guess,
        proposals=propose(name, guess.dialect, port),
        day=datetime.date(2026, 11, 24),
    )
    for file, content in files(made, CONTRACT).items():
        (folder / file).write_text(content, encoding="utf-8")
    return Partner(name=name, folder=folder, **tomllib.loads((folder / "partner.toml").read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", WSDLS, ids=lambda path: path.stem)
def test_what_is_written_for_a_wsdl_can_be_used(path: Path, tmp_path: Path):
    made = partner(path, tmp_path)
    assert made.operations
    for operation, settings in made.operations.items():
        with under(Circumstances(partner="PACS")):
            Stylesheet(made.path(settings.request)).apply(as_source("Request", WIRE.write(sample(operation))))
        Stylesheet(made.path(str(settings.response)))


@pytest.mark.parametrize(
    ("name", "operations"),
    [
        ("PACS", ["SubmitRequisition", "AcknowledgeCriticalValue"]),
        ("HIS_OLD", ["ReportStatus", "SubmitReport", "ChargeItem", "RefundItem", "PushCriticalValue"]),
        ("EMR", ["SubmitReport", "PushCriticalValue", "GetMedicalRecord"]),
    ],
)
def test_what_a_partner_is_sent_is_guessed_from_its_name(name: str, operations: list[str], tmp_path: Path):
    made = partner(Path(__file__).parent / "wsdls" / "style_call.wsdl", tmp_path, name)
    assert list(made.operations) == operations


def test_what_a_partner_is_sent_is_guessed_from_its_operations(tmp_path: Path):
    made = partner(Path(__file__).parent / "wsdls" / "asmx_chinese_operations.wsdl", tmp_path, "EMR")
    assert {ours: settings.operation for ours, settings in made.operations.items()} == {"SubmitReport": "上传报告"}
