"""Whatever fails behind a facade, the vendor is told in its own form, and nothing of a patient is shown or logged."""

from __future__ import annotations

import base64
import io
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from facade_site import PASSWORD, SETS, Reply, Site, facade_of, in_string, sample, words
from pydantic import SecretStr

from gateway.bootstrap.core import make_core
from gateway.bootstrap.web import web_application
from gateway.config import Settings
from gateway.security.secrets import create_key_file

SiteOf = Callable[..., Site]
SET = "request-header-body"
NEW = "SubmitRequisition"


@pytest.fixture
def broken(site_of: SiteOf, tmp_path: Path) -> Callable[[str], Site]:
    """A site whose stylesheet of answers is this."""

    def make(stylesheet: str) -> Site:
        (tmp_path / "response.xsl").write_text(stylesheet, "utf-8")
        (tmp_path / "request.xsl").write_text((SETS / SET / "request.xsl").read_text("utf-8"), "utf-8")
        return site_of(SET, folder=tmp_path)

    return make


def test_without_its_database_the_gateway_says_come_again(tmp_path: Path):
    create_key_file(tmp_path / "secret.key")
    away = SecretStr("postgresql+psycopg://u:p@127.0.0.1:1/x")
    settings = Settings(folder=tmp_path, hospital_code="44643245-7", database_url=away, facades=(facade_of(SET),))
    core = make_core(settings)
    body = in_string(sample(NEW)).encode()
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "POST", "PATH_INFO": f"/facade/{SET}", "QUERY_STRING": "", "CONTENT_TYPE": "text/xml",
        "CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body), "REMOTE_ADDR": "127.0.0.1",
        "HTTP_AUTHORIZATION": "Basic " + base64.b64encode(f"HIS:{PASSWORD}".encode()).decode(),
    }  # fmt: skip
    told: list[str] = []
    content = b"".join(web_application(core)(environ, lambda status, _: told.append(status)))
    core.codes.close()
    core.engine.dispose()
    reply = Reply(int(told[0][:3]), {}, content)
    assert (reply.status, words(reply)) == (200, ("-1", "SYS-503"))
    assert reply.inner().findtext("Body/Retryable") == "1"


@pytest.mark.parametrize(
    "stylesheet",
    [
        "<xsl:stylesheet",
        '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" '
        'xmlns:g="urn:hospital-gateway:functions"><xsl:template match="/"><a b="{g:fail(\'no\')}"/></xsl:template>'
        "</xsl:stylesheet>",
    ],
)
def test_an_answer_that_cannot_be_mapped_is_a_fault_that_may_be_sent_again(
    broken: Callable[[str], Site], stylesheet: str, caplog: pytest.LogCaptureFixture
):
    site = broken(stylesheet)
    reply = site.send(f"/facade/{SET}", in_string(sample(NEW)), client="HIS")
    text = reply.content.decode()
    assert reply.status == 500
    assert "<soap:Fault>" in text
    assert "SYS-500" in text, "the message is taken: nobody may read a refusal"
    assert "Traceback" not in text + caplog.text
    assert "王𠮷祥" not in text + caplog.text
    assert [entry.result_code for entry in site.journal()] == ["0"]


def test_the_log_of_a_refused_message_holds_numbers_only(site_of: SiteOf, caplog: pytest.LogCaptureFixture):
    site = site_of(SET)
    with caplog.at_level(logging.INFO):
        site.ask(sample("ReportStatus", **{"<StatusSeq>1<": "<StatusSeq>王五<"}))
        site.ask("<Request>王五")
        site.ask(sample("ReportStatus").replace("ReportStatus</TradeCode>", "王五</TradeCode>"))
    assert "SYS-400" in caplog.text
    assert "王五" not in caplog.text
    assert "王𠮷祥" not in caplog.text


def test_guessing_passwords_ends_in_the_vendors_form_too(site_of: SiteOf):
    site = site_of("call-interface")
    body = in_string(sample("QueryRequisition"), "CallInterface", "msgBody")
    told = [
        site.send("/facade/call-interface", body, client="LIS", password=f"guess-guess-{number:03d}")
        for number in range(12)
    ]
    assert {words(reply)[1] for reply in told} <= {"AUT-401", "SYS-400", "SYS-429"}
    assert {reply.status for reply in told} == {200}


def test_a_large_report_comes_from_who_may_send_one(site_of: SiteOf):
    site = site_of(SET)
    site.ask(sample(NEW), client="HIS")
    picture = base64.b64encode(b"\xff\xd8" + bytes(900_000)).decode()
    images = "".join(f"<KeyImage><Content>{picture}</Content></KeyImage>" for _ in range(3))
    report = sample("SubmitReport")
    start, end = report.index("<KeyImages>"), report.index("</KeyImages>")
    large = report[:start] + "<KeyImages>" + images + report[end:]
    assert len(large) > 3_000_000
    assert words(site.ask(large, client="PACS")) == ("-1", "SYS-413")
    assert words(site.ask(large, client="RIS")) == ("0", "")
    assert words(site.ask(sample(NEW).replace("<Purpose>", f"<Purpose>{picture * 3}"), client="RIS"))[1] == "SYS-413"


def test_of_two_strings_nobody_knows_which_counts(site_of: SiteOf):
    site = site_of(SET)
    twice = in_string(sample("QueryRequisition")).replace("</HIPService>", "<PInput>x</PInput></HIPService>")
    assert words(site.send(f"/facade/{SET}", twice)) == ("-1", "SYS-400")
    assert words(site.send(f"/facade/{SET}", twice.replace("PInput", "Another")))[1] != "SYS-400"
