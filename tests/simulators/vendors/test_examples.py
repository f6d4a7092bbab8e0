"""The partner folders that ship as examples belong to the simulated systems: each calls the other by the same words."""

import pytest
from lxml import etree

from gateway.config import load_settings
from gateway.contract import Contract
from gateway.mapping.stylesheet import Stylesheet, located
from gateway.simulators.vendors.table import VENDORS
from gateway.simulators.vendors.typed import EXAMPLES

CALLED = [kind for kind in VENDORS if (EXAMPLES / kind).is_dir()]
OPERATIONS = {operation.name for operation in Contract().operations}


def settings_of(kind, tmp_path):
    (tmp_path / "partners").mkdir()
    (tmp_path / "partners" / kind).symlink_to(EXAMPLES / kind)
    (tmp_path / "gateway.toml").write_text('hospital_code = "H1"')
    return load_settings(tmp_path).partner(kind)


@pytest.mark.parametrize("kind", CALLED)
def test_an_example_has_the_wsdl_that_its_system_serves(kind, tmp_path):
    partner = settings_of(kind, tmp_path)
    if partner.wsdl is None:
        pytest.skip("it has none")
    served = etree.fromstring(VENDORS[kind].contract.wsdl(str(partner.url)))
    shipped = etree.parse(partner.path(partner.wsdl)).getroot()
    assert etree.tostring(served) == etree.tostring(shipped)
    assert str(partner.url).endswith(VENDORS[kind].path)


@pytest.mark.parametrize("kind", CALLED)
def test_every_stylesheet_of_an_example_can_be_compiled_and_belongs_to_an_operation(kind, tmp_path):
    partner = settings_of(kind, tmp_path)
    assert {name.partition(".")[0] for name in partner.operations} <= OPERATIONS
    named = {name for one in partner.operations.values() for name in (one.request, one.response) if name}
    for name in named:
        Stylesheet(located(name, partner.folder))
