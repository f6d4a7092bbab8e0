"""Edge cases 28 to 33 at the door for vendors that only send strings: understood, and noted with the client."""

from __future__ import annotations

from collections.abc import Callable
from xml.sax.saxutils import escape

import pytest
from facade_site import Site, envelope, in_string, sample, words

SiteOf = Callable[..., Site]
SET = "request-header-body"
NAME = "王𠮷祥"


@pytest.fixture
def site(site_of: SiteOf) -> Site:
    return site_of(SET)


def send(site: Site, body: str | bytes, **more: str) -> tuple[str, str]:
    return words(site.send(f"/facade/{SET}", body, client="HIS", **more))


@pytest.mark.parametrize("name", ["𠮷", "䶮", "㛃", "𬭳", "\ue863", "买买提·艾力"])
@pytest.mark.parametrize(
    ("codec", "stated"), [("utf-8", "utf-8"), ("gb18030", "gb2312"), ("gb18030", "gb18030"), ("gb18030", "utf-8")]
)
def test_a_rare_name_comes_in_by_every_encoding_and_goes_back(site: Site, name: str, codec: str, stated: str):
    """28, 29: also GBK that calls itself UTF-8."""
    body = in_string(sample("SubmitRequisition", **{NAME: name})).encode(codec)
    assert send(site, body, content_type=f"text/xml; charset={stated}") == ("0", "")
    found = site.ask(sample("QueryRequisition")).inner()
    assert found.findtext("Body/Requisitions/Requisition/Patient/PatientName") == name


@pytest.mark.parametrize(
    ("written", "kept", "noted"),
    [
        ("王\x0b祥", "王 祥", "control-characters"),
        ("王&#0;祥", "王 祥", "control-characters"),
        ("R & D", "R & D", "escaping"),
        ("王<5", "王<5", "escaping"),
    ],
)
def test_what_is_wrong_in_the_string_is_mended_and_noted(site: Site, written: str, kept: str, noted: str):
    """31, 32."""
    assert words(site.ask(sample("SubmitRequisition", **{NAME: written}), client="HIS")) == ("0", "")
    assert site.journal()[0].repairs == noted
    found = site.ask(sample("QueryRequisition")).inner()
    assert found.findtext("Body/Requisitions/Requisition/Patient/PatientName") == kept
    figures = site.get("/metrics").content.decode()
    assert f'gateway_messages_mended_total{{client="HIS",repair="{noted}"}}' in figures


@pytest.mark.parametrize("text", ["4\x0080.00", "480.00&#11;1", "4&#0;80.00"])
def test_a_control_character_makes_no_other_amount_of_an_amount(site: Site, text: str):
    """31."""
    told = words(site.ask(sample("SubmitRequisition", **{">480.00<": f">{text}<"}), client="HIS"))
    assert told == ("-1", "SYS-400")
    assert site.journal() == []


@pytest.mark.parametrize("action", ['""', "wrong", '"http://tempuri.org/Other"', ""])
@pytest.mark.parametrize("namespace", ["", "http://tempuri.org", "http://tempuri.org/", "urn:anything"])
def test_neither_the_soap_action_nor_the_namespace_matters(site: Site, action: str, namespace: str):
    """33."""
    message = escape(sample("SubmitRequisition"))
    body = envelope(f'<HIPService xmlns="{namespace}"><pInput>{message}</pInput></HIPService>')
    assert send(site, body, SOAPAction=action) == ("0", "")


def test_a_string_that_stands_beside_the_call_is_the_same_string(site: Site):
    """33: rpc/encoded with multiRef."""
    message = escape(sample("SubmitRequisition"))
    body = envelope(f'<HIPService><pInput href="#1"/></HIPService><multiRef id="1">{message}</multiRef>')
    assert send(site, body) == ("0", "")
    assert site.journal()[0].repairs == "references"
