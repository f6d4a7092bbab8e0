"""A vendor's web service in a string style: a real HTTP server that answers what a test tells it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from lxml import etree

from gateway.partner_config import Partner
from gateway.styles.served import Served
from gateway.styles.style import Asked, Said

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"


class Vendor:
    """Serves one style and remembers what it was asked; `answer` says what it answers."""

    def __init__(self, served: Served, charset: str = "utf-8") -> None:
        self.served = served
        self.charset = charset
        self.asked: list[Asked] = []
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.answer: Callable[[Asked], Said] = lambda asked: Said("<Response><Code>0</Code></Response>")
        self.reply: Callable[[bytes], bytes] = lambda written: written
        """What becomes of the answer on its way out."""
        vendor = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                vendor.headers.append(dict(self.headers))
                written = vendor.reply(vendor._answered(body))
                self.send_response(200)
                self.send_header("Content-Type", f"text/xml; charset={vendor.charset}")
                self.send_header("Content-Length", str(len(written)))
                self.end_headers()
                self.wfile.write(written)

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/Service.asmx"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def partner(self, folder: Path, name: str = "PACS", **settings: Any) -> Partner:
        """Its settings, with its WSDL in the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "service.wsdl").write_bytes(self.served.wsdl(self.url))
        settings = {"dialect": self.served.style.word, "wsdl": "service.wsdl", "charset": self.charset} | settings
        return Partner(name=name, url=self.url, folder=folder, **settings)

    def _answered(self, body: bytes) -> bytes:
        self.bodies.append(body)
        wrapper = etree.fromstring(body)[-1][0]
        asked = self.served.read(wrapper)
        self.asked.append(asked)
        inner = self.served.answer(wrapper, asked, self.answer(asked))
        text = (
            f'<?xml version="1.0" encoding="{self.charset}"?>'
            f'<s:Envelope xmlns:s="{SOAP}"><s:Body>{inner}</s:Body></s:Envelope>'
        )
        return text.encode(self.charset, "xmlcharrefreplace")
