"""The page at the gateway's root, for the hospital's information department."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from gateway.contract import Contract
from gateway.documents import Documents
from gateway.errors import MessageFault, RequestRefused
from gateway.soap.pages import IndexPage

CONTRACT = Contract()
URL = "http://gateway.example.org:8080/soap"
DOCUMENTS = Documents(CONTRACT, URL)
CODES = [*MessageFault.catalogue(), *RequestRefused.catalogue()]


class Page(HTMLParser):
    """What a browser sees: the text, the links, whatever it would fetch, the anchors."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.text, self.links, self.fetched, self.anchors, self.open = "", [], [], set(), []
        self.feed(content.decode())

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.anchors.add(values.get("id"))
        self.links += [values["href"]] if tag == "a" else []
        self.fetched += [tag] if tag in ("link", "script", "img", "iframe") or "src" in values else []
        self.open += [tag] if tag not in ("meta", "br") else []

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


CONTENT = IndexPage(CONTRACT, DOCUMENTS, URL).render()
PAGE = Page(CONTENT)


def test_every_operation_stands_there_with_its_chinese_name():
    for operation in CONTRACT.operations:
        assert operation.name in PAGE.text
        assert operation.chinese in PAGE.text


@pytest.mark.parametrize("reason", CODES, ids=lambda reason: reason.code)
def test_every_code_stands_there_in_chinese_and_english(reason):
    chinese, english = reason.describe()
    assert reason.code in PAGE.anchors
    assert chinese in PAGE.text
    assert english in PAGE.text


def test_no_code_stands_there_twice():
    assert CONTENT.count(b'<tr id="') == len({reason.code for reason in CODES}) == len(CODES)


def test_every_link_leads_to_something_that_is_published():
    served = {path.lstrip("/") for path in DOCUMENTS.paths} | {"healthz", "readyz", "metrics"}
    for link in PAGE.links:
        path, _, query = link.partition("?")
        assert path in served or (path == "soap" and DOCUMENTS.wsdl(query)) or link.removeprefix("#") in PAGE.anchors, (
            link
        )


def test_all_files_and_samples_can_be_downloaded():
    assert {path.lstrip("/") for path in DOCUMENTS.paths} <= set(PAGE.links)
    assert {"soap?wsdl", "soap?wsdl=soap12"} <= set(PAGE.links)


def test_the_page_needs_nothing_from_elsewhere():
    assert PAGE.fetched == []
    assert b"url(" not in CONTENT
    assert b"@import" not in CONTENT
    assert not [link for link in PAGE.links if ":" in link or link.startswith("/")]


def test_a_strange_address_is_text_and_no_markup():
    url = 'http://gateway.example.org/<script>alert("1")</script>/soap'
    content = IndexPage(CONTRACT, DOCUMENTS, url).render()
    assert b"<script>" not in content
    assert url in Page(content).text


def test_the_page_is_the_same_each_time():
    assert IndexPage(CONTRACT, DOCUMENTS, URL).render() == CONTENT
    assert len(CONTENT) < 64 * 1024


def test_facades_stand_on_the_page_with_their_whole_address_and_what_they_take():
    every = tuple(operation.name for operation in CONTRACT.operations)
    facades = [("LIS", "call", every), ("US", "tech-service", ("登记", "1001"))]
    page = IndexPage(CONTRACT, DOCUMENTS, URL, facades).render().decode()
    for wanted in (
        f"{URL.rpartition('/')[0]}/facade/LIS",
        'href="facade/US?wsdl"',
        "every operation below",
        "登记, 1001",
    ):
        assert wanted in page
