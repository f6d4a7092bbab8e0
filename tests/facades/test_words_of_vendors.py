"""Sets in the words of one vendor: what the vendor is told when its message cannot be understood, in its own form."""

from __future__ import annotations

import json
from collections.abc import Callable
from xml.sax.saxutils import escape

import pytest
from facade_site import PASSWORD, SETS, Reply, Site, envelope, sample

SiteOf = Callable[..., Site]
VENDORS = ("ultrasound", "internet-hospital", "reference-lab")


@pytest.fixture
def site(site_of: SiteOf) -> Site:
    return site_of(*VENDORS)


def ultrasound(site: Site, message: str, action: str = "2001") -> Reply:
    body = f"<TechService><actionCode>{action}</actionCode><xmlContent>{escape(message)}</xmlContent></TechService>"
    return site.send("/facade/ultrasound", envelope(body))


def call(site: Site, facade: str, function: str, message: str, *, client: str | None = "PACS") -> Reply:
    body = f"<Call><FuncCode>{function}</FuncCode><input>{escape(message)}</input></Call>"
    return site.send(f"/facade/{facade}", envelope(body), client=client)


def test_a_word_that_is_not_in_the_list_is_named_and_its_value_is_not(site: Site):
    told = ultrasound(site, sample("2001", "ultrasound").replace("<zt>", "<bz>急诊张三</bz><zt>"))
    assert (told.body.findtext("returnCode"), told.inner(1).findtext("cwdm")) == ("1", "SYS-400")
    assert "bz" in (told.inner(1).findtext("msg") or "")
    assert "张三" not in told.content.decode()


def test_an_action_that_nobody_has_is_told_with_the_vendors_own_return_code(site: Site):
    told = ultrasound(site, sample("2001", "ultrasound"), action="2099")
    assert (told.body.findtext("returnCode"), told.inner(1).findtext("cwdm")) == ("1", "SYS-400")


def test_an_order_online_with_a_wrong_secret_is_401_in_its_json(site: Site):
    text = (SETS / "internet-hospital" / "samples" / "createOrder.json").read_text("utf-8")
    order = json.loads(text) | {"appId": "HIS"}
    told = [
        json.loads(call(site, "internet-hospital", "createOrder", json.dumps(one), client=None).result)["code"]
        for one in (order | {"appSecret": "wrong"}, order | {"appSecret": PASSWORD})
    ]
    assert told == [401, 200]


def test_a_string_that_is_no_json_is_400_in_its_json(site: Site):
    told = json.loads(call(site, "internet-hospital", "createOrder", "<order/>").result)
    assert (told["code"], told["retry"]) == (400, False)


@pytest.mark.parametrize("charset", ["gb18030", "gbk", "utf-8"])
def test_characters_beyond_gbk_arrive_whole_under_whatever_label_their_bytes_come(site: Site, charset: str):
    message = sample("F2003", "reference-lab").replace("外检䶮", "𠮷䶮㛃")
    body = f"<Call><FuncCode>F2003</FuncCode><input>{escape(message)}</input></Call>"
    raw = envelope(body).encode("gb18030")
    told = site.send("/facade/reference-lab", raw, content_type=f"text/xml; charset={charset}").inner()
    assert told.findtext("RetCode") == "0000"
    [kept] = site.journal()
    assert "<Checker>𠮷䶮㛃</Checker>".encode("gb18030") in kept.xml.replace(b"&lt;", b"<").replace(b"&gt;", b">")
