"""The partner folders and facades that ship belong to the simulated systems: each calls the other by the same words."""

import pytest
from lxml import etree

from gateway.config import load_settings, read_facade
from gateway.contract import Contract
from gateway.mapping.stylesheet import Stylesheet, located
from gateway.simulators.memory import Memory
from gateway.simulators.vendors.posting import PostedVendor
from gateway.simulators.vendors.table import VENDORS
from gateway.simulators.vendors.typed import EXAMPLES
from gateway.styles.served import Served

FACADES = EXAMPLES.parent / "facades"
CALLERS = [
    kind
    for kind, vendor in VENDORS.items()
    if isinstance(getattr(vendor, "contract", None), Served) and (FACADES / kind).is_dir()
]
CALLED = [kind for kind in VENDORS if (EXAMPLES / kind).is_dir()]
POSTED = [kind for kind in CALLED if issubclass(VENDORS[kind], PostedVendor)]
OPERATIONS = {operation.name for operation in Contract().operations}


def settings_of(kind, tmp_path):
    (tmp_path / "partners").mkdir()
    (tmp_path / "partners" / kind).symlink_to(EXAMPLES / kind)
    (tmp_path / "gateway.toml").write_text('hospital_code = "H1"')
    return load_settings(tmp_path).partner(kind)


@pytest.mark.parametrize("kind", [kind for kind in CALLED if kind not in POSTED])
def test_an_example_has_the_wsdl_that_its_system_serves(kind, tmp_path):
    partner = settings_of(kind, tmp_path)
    served = etree.fromstring(VENDORS[kind].contract.wsdl(str(partner.url)))
    shipped = etree.parse(partner.path(partner.wsdl)).getroot()
    assert etree.tostring(served) == etree.tostring(shipped)
    assert str(partner.url).endswith(VENDORS[kind].path)


@pytest.mark.parametrize("kind", POSTED)
def test_an_example_posts_to_functions_that_its_system_has(kind, tmp_path):
    partner = settings_of(kind, tmp_path)
    assert {one.function for one in partner.operations.values()} == set(VENDORS[kind](Memory()).functions())
    assert str(partner.url).endswith(VENDORS[kind].path)


@pytest.mark.parametrize("kind", CALLED)
def test_every_stylesheet_of_an_example_can_be_compiled_and_belongs_to_an_operation(kind, tmp_path):
    partner = settings_of(kind, tmp_path)
    assert {name.partition(".")[0] for name in partner.operations} <= OPERATIONS
    named = {name for one in partner.operations.values() for name in (one.request, one.response) if name}
    for name in named:
        Stylesheet(located(name, partner.folder))


@pytest.mark.parametrize("kind", CALLERS)
def test_the_facade_of_a_system_is_called_as_the_system_is(kind):
    vendor, facade = VENDORS[kind], read_facade(FACADES / kind / "facade.toml")
    contract = vendor.contract
    assert (facade.style, facade.charset) == (contract.style.word, vendor.charset)
    assert (facade.namespace, facade.parameters) == (contract.namespace, dict(contract.names) if facade.called else {})
