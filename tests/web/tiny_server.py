"""A real gunicorn with our worker and a tiny application; its settings come as JSON, its port goes to stdout."""

import json
import sys

from gateway.errors import MessageFault
from gateway.soap.envelope import Limits, parse_envelope
from gateway.soap.front import read_body, soap_version
from gateway.web.server import GatewayServer
from gateway.web.worker import PatientThreadWorker


def application(environ, start_response):
    status, text = "200 OK", "well received"
    if environ["REQUEST_METHOD"] == "POST":
        body = b""
        try:
            body = read_body(environ, lambda prefix: b"trusted" in prefix, Limits())
            text += f" {len(parse_envelope(body, environ.get('CONTENT_TYPE', '')).raw)}"
        except MessageFault as fault:
            name = soap_version(environ, body).name
            status, text = f"{fault.http_status} Fault", f"Fault {name} {type(fault).__name__} {fault.text_en}"
    answer = text.encode() + b"." * int(environ.get("HTTP_X_ANSWER_BYTES", "0"))
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(answer)))])
    return [answer]


def announce(arbiter):
    print(arbiter.LISTENERS[0].getsockname()[1], flush=True)


if __name__ == "__main__":
    settings = json.loads(sys.argv[1])
    for name in [name for name in settings if name.endswith("_seconds")]:
        setattr(PatientThreadWorker, name, settings.pop(name))
    GatewayServer(lambda: application, {"bind": "127.0.0.1:0", "when_ready": announce, **settings}).run()
