"""Systems that only take HTTP POSTs, each function at a path of its own below the address, and their web server."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from gateway.simulators.server import JSON, Environ, Reply, Worked, json_reply
from gateway.simulators.vendors.server import VendorSimulator
from gateway.simulators.vendors.vendor import NotAdmitted, Question, Vendor
from gateway.styles.style import Asked, Said

LARGEST = 2 * 1024 * 1024


class PostedVendor(Vendor):
    """A system without SOAP and WSDL; its answers are JSON."""

    def trust(self, body: bytes, environ: Mapping[str, Any]) -> None:
        """Look at who posts. Raises NotAdmitted. Without more, everybody may."""

    def status(self, said: Said) -> int:
        """The HTTP status of an answer."""
        return 200


class PostedSimulator(VendorSimulator):
    """Such a system behind its address."""

    def __init__(self, vendor: PostedVendor, *more: Any) -> None:
        super().__init__(vendor, *more)
        self._vendor: PostedVendor = vendor

    def _reply(self, environ: Environ) -> Reply:
        is_message = environ["REQUEST_METHOD"] == "POST" and environ["PATH_INFO"].startswith(f"{self.path}/")
        return self._message(environ) if is_message else super()._reply(environ)

    def _description(self, environ: Environ) -> Reply:
        return json_reply(200, {"system": self._vendor.name, "takes": sorted(self._vendor.functions())})

    def _message(self, environ: Environ) -> Reply:
        body = environ["wsgi.input"].read(min(int(environ.get("CONTENT_LENGTH") or 0), LARGEST))
        try:
            self._vendor.trust(body, environ)
            text = body.decode(self._vendor.charset)
        except NotAdmitted as problem:
            self._log.write("", "401")
            return json_reply(401, {"error": str(problem)})
        except UnicodeDecodeError:
            self._log.write("", "400")
            return json_reply(400, {"error": "The body is not in the charset of this system."})
        function = environ["PATH_INFO"].removeprefix(self.path).strip("/")
        question = Question(function, Asked(function, text, message_id=environ.get("HTTP_X_GATEWAY_MESSAGEID", "")))
        noted = {name: value for name, value in self._noted(question).items() if value}
        return self._disturbed(function, None, partial(self._answered, question), **noted)

    def _answered(self, question: Question, refusal: str | None) -> Worked:
        """One message at a time, so that nothing is done twice."""
        if refusal is None:
            with self._one_at_a_time:
                said = self._vendor.carry_out(question)
        else:
            said = self._vendor.refusal(question, refusal, "模拟的拒绝")
        charset = self._vendor.charset
        kind = JSON.replace("utf-8", charset)
        return Worked(said.code, Reply(self._vendor.status(said), kind, said.payload.encode(charset)), {})
