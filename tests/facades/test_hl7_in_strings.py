"""HL7 v2 in the string of a web service, to a real gateway over real HTTP."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from facade_site import SETS, Reply, Site, in_string

from gateway.hl7.acknowledgements import Acknowledgement, read_acknowledgement
from gateway.hl7.er7 import read, value

SiteOf = Callable[..., Site]
ORDER = (SETS / "hl7" / "samples" / "order.hl7").read_text("utf-8")


def send(site: Site, pipes: str, client: str = "HIS", charset: str = "utf-8") -> Reply:
    body = f'<?xml version="1.0" encoding="{charset}"?>' + in_string(pipes, "SendMessage", "message")
    return site.send("/facade/hl7", body.encode(charset), client=client, content_type=f"text/xml; charset={charset}")


def said(reply: Reply) -> Acknowledgement:
    found = read_acknowledgement(read(reply.result))
    assert found is not None
    return found


@pytest.mark.parametrize("charset", ["utf-8", "gb18030"])
def test_pipes_in_a_string_become_a_requisition_and_are_acknowledged(site_of: SiteOf, charset: str):
    site = site_of("hl7", charset=charset)
    reply = send(site, ORDER, charset=charset)
    assert (said(reply).code, said(reply).control_id) == ("AA", "HL7-1")
    assert "PerformDeptCode" in said(reply).text, "a warning is told"
    assert value(read(reply.result), "MSH", 5) == "HIS"
    [kept] = site.journal()
    assert (kept.operation, kept.message_id) == ("SubmitRequisition", "HL7-1")


@pytest.mark.parametrize(
    "wrap",
    [
        lambda pipes: f"\ufeff\n {pipes}",
        lambda pipes: f"<![CDATA[{pipes}]]>",
        lambda pipes: f"<Message><![CDATA[{pipes}]]></Message>",
        lambda pipes: pipes.replace("&", "&amp;"),
        lambda pipes: pipes.replace("\n", "\r\n"),
    ],
)
def test_however_the_pipes_were_wrapped(site_of: SiteOf, wrap: Callable[[str], str]):
    assert said(send(site_of("hl7"), wrap(ORDER))).code == "AA"


def test_a_refusal_says_which_code_and_why(site_of: SiteOf):
    site = site_of("hl7")
    status = (
        ORDER.replace("ORC|NW|SQ-HL7-1||", "ORC|SC|NONE||")
        .replace("|||^^^^^R", "|IP||^^^^^R")
        .replace("HL7-1|P", "S1|P")
    )
    refused = said(send(site, status, client="PACS"))
    assert (refused.code, refused.control_id, refused.error) == ("AE", "S1", "STA-404")


@pytest.mark.parametrize("pipes", ["no HL7", "PID|1", "", ORDER.replace("ORM^O01", "ADT^A01")])
def test_what_is_no_message_of_these_is_answered_all_the_same(site_of: SiteOf, pipes: str):
    refused = said(send(site_of("hl7"), pipes))
    assert refused.code in ("AE", "AR")
    assert refused.error == "SYS-400"
