"""What stylesheets make for operations with types of their own, put into envelopes by the partner's WSDL."""

import pytest
from lxml import etree

from gateway.mapping.errors import MappingFailed
from gateway.partner_config import Partner
from gateway.partners.foreign import ForeignClient
from gateway.simulators.vendors.typed import EXAMPLES

AXIS = "http://oper.anes.example.com"


def written(kind: str, operation: str, made: str) -> str:
    partner = Partner(name="X", url="http://x/", folder=EXAMPLES / kind, dialect="typed", wsdl="wsdl/service.wsdl")
    return etree.tostring(ForeignClient(partner).envelope(operation, etree.fromstring(made)), encoding="unicode")


def test_a_text_that_is_made_empty_is_sent_empty():
    inner = "<messageId>1</messageId><applyNo>2</applyNo><reason/>"
    made = f'<o:cancelOperationApply xmlns:o="{AXIS}">{inner}</o:cancelOperationApply>'
    assert '<reason xsi:type="xsd:string"></reason>' in written("anaesthesia", "cancelOperationApply", made)


def test_one_that_is_empty_inside_of_others_is_sent_too():
    specimens = "<Specimens><Specimen><No>1</No><OrderNo/></Specimen><Specimen><No>2</No></Specimen></Specimens>"
    made = (
        '<SendAplication xmlns="http://tempuri.org/"><aplication><Name/><IsFrozen>false</IsFrozen>'
        f"<AplyTime>2026-11-16T10:00:00+08:00</AplyTime>{specimens}</aplication></SendAplication>"
    )
    sent = written("pathology", "SendAplication", made)
    assert sent.count("OrderNo") == 2
    assert "Name></" in sent


def test_an_element_in_the_wrong_place_is_named():
    inner = "<messageId>1</messageId><apply><sex>1</sex><applyNo>2</applyNo></apply>"
    made = f'<o:addOperationApply xmlns:o="{AXIS}">{inner}</o:addOperationApply>'
    with pytest.raises(MappingFailed, match="does not fit the WSDL: Unexpected element 'sex', expected 'applyNo'"):
        written("anaesthesia", "addOperationApply", made)
