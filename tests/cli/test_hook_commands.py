"""What the commands say about a partner that only takes HTTP POSTs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from at_the_terminal import Command


@pytest.fixture
def oa(gateway: Command, empty_site: Path) -> Path:
    """The folder of the example."""
    assert gateway("partner", "add", "OA", "--example", "message-platform").code == 0
    return empty_site / "partners" / "OA"


@pytest.fixture
def refusing(oa: Path) -> Iterator[list[str]]:
    """The paths at which a web server was asked that does not let us in; its address stands in the folder."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def do_GET(self) -> None:
            asked.append(f"{self.command} {self.path}")
            self.send_error(401)

        def log_message(self, *words: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    change(oa / "partner.toml", "http://127.0.0.1:9120", f"http://127.0.0.1:{server.server_address[1]}")
    yield asked
    server.shutdown()
    server.server_close()
    thread.join()


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_the_check_shows_the_fields_of_a_form_and_what_kept_answers_mean(gateway: Command, oa: Path):
    (oa / "samples" / "SubmitReport.reply.json").write_text('{"code": 0, "receipt": "HZ1"}')
    (oa / "samples" / "SubmitReport.2.reply.json").write_text('{"code": "1299", "msg": "限流"}')
    change(oa / "partner.toml", 'refused = ["*"]', 'refused = ["*"]\nretry = ["1299"]')
    said = gateway("partner", "check", "OA")
    assert (said.code, said.err.count("No route of gateway.toml leads to OA")) == (0, 1)
    assert "SubmitReport.request.xsl makes a request of POST /message/v1/prompt/report" in said.out
    assert "\nto=W2001\nlevel=NORMAL\nreport_no=BG202611160017\n" in said.out
    assert "✓ SubmitReport: SubmitReport.reply.json means yes" in said.out
    assert "✓ SubmitReport: SubmitReport.2.reply.json means not now (1299 限流)" in said.out
    assert "PushCriticalValue.422.reply.json means no (HTTP-422 接收人或消息编号不能为空)" in said.out
    assert "message-platform-secret" not in said.out + said.err


@pytest.mark.parametrize(
    ("kept", "content", "told"),
    [
        ("SubmitReport.reply.json", '{"code": ""}', "the answer is UNCLEAR"),
        ("SubmitReport.reply.txt", "<html>login", "UNREADABLE: XML or a web page came where JSON was expected."),
        (
            "SubmitReport.500.reply.json",
            '{"code": 0}',
            "HTTP-500: The partner answers HTTP 500: its program has failed",
        ),
        ("SubmitReport.302.reply.txt", "-", "HTTP-302: The partner points to another address (HTTP 302)"),
    ],
)
def test_the_check_says_what_is_wrong_with_a_kept_answer(
    gateway: Command, oa: Path, kept: str, content: str, told: str
):
    (oa / "samples" / kept).write_text(content)
    said = gateway("partner", "check", "OA", "--operation", "SubmitReport")
    assert said.code == 1
    (line,) = [line for line in said.out.splitlines() if line.startswith("✗")]
    assert told in line


def test_a_stylesheet_that_is_broken_is_named_by_the_check_of_the_site(gateway: Command, oa: Path):
    change(oa / "SubmitReport.request.xsl", "<Form>", "<Form")
    said = gateway("check")
    assert said.code == 1
    assert "✗ Partner OA, SubmitReport: " in said.out
    assert "SubmitReport.request.xsl, line 10: no well-formed XML" in said.out


def test_a_web_server_that_does_not_let_us_in_is_told_so(gateway: Command, oa: Path, refusing: list[str]):
    assert "answers 401 to who only looks" in gateway("partner", "ping", "OA").out
    said = gateway("partner", "check", "OA", "--live", "--operation", "SubmitReport", "--yes")
    assert said.code == 1
    assert (
        "✗ SubmitReport at OA: NOT_SENT, HTTP-401 The partner answers HTTP 401: it does not admit the gateway"
        in said.out
    )
    assert refusing == ["GET /message/v1", "POST /message/v1/prompt/report"]


def test_nothing_is_sent_by_a_check_that_names_nothing(gateway: Command, oa: Path, refusing: list[str]):
    assert "has no query among its operations" in gateway("partner", "check", "OA", "--live").err
    assert refusing == []
