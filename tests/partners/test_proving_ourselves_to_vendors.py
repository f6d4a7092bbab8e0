"""Who the gateway is, as partners with a contract of their own want to hear it, over real HTTP."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from lxml import etree

from gateway.operations.dispatch import Outcome
from gateway.partners.foreign import ForeignClient
from gateway.partners.signature import WSSE
from tests.partners.certificates import Authority
from tests.partners.test_mapped import send, serve, vendors  # noqa: F401 - fixtures
from tests.partners.test_signature import verified
from tests.partners.vendor import SOAP, Vendor

SECRET = "s3cret-w0rd"
LOGIN = {
    "body": '<Login xmlns="http://tempuri.org/"><u>{username}</u><p>{password}</p></Login>',
    "token": "//*[local-name()='LoginResult']",
}


@pytest.mark.parametrize("binding", ["document", "rpc", "encoded"])
@pytest.mark.parametrize("charset", ["utf-8", "gb18030"])
def test_a_signature_fits_what_arrives_in_every_form_and_charset(serve, tmp_path, binding, charset):  # noqa: F811
    issued = Authority(tmp_path).issue("gateway")
    vendor = serve("call-interface", charset, binding=binding)
    files = {"certificate_file": "gateway.pem", "key_file": "gateway.key"}
    assert send(vendor, tmp_path, auth={"kind": "x509", "timestamp": True, **files}).is_yes
    assert verified(etree.fromstring(vendor.bodies[0]), issued, 2) == ["Timestamp", "Body"]


def test_a_header_of_the_vendors_own_and_a_token_stand_beside_each_other(serve, tmp_path):  # noqa: F811
    fields = "<UserName>{username}</UserName><PassWord>{password}</PassWord>"
    block = f"<MySoapHeader xmlns='http://tempuri.org/'>{fields}</MySoapHeader>"
    vendor = serve()
    auth = {"kind": "username-token", "soap_header": block, "http_headers": {"X-Token": "{key}"}}
    auth |= {"secrets": {"key": "t-1"}}
    assert send(vendor, tmp_path, username="gw", password=SECRET, auth=auth).is_yes
    header = etree.fromstring(vendor.bodies[0])[0]
    assert [child.tag for child in header] == ["{http://tempuri.org/}MySoapHeader", f"{{{WSSE}}}Security"]
    assert [child.text for child in header[0]] == ["gw", SECRET]
    assert vendor.headers[0]["X-Token"] == "t-1"


@pytest.mark.parametrize("kind", ["basic", "username-token", "username-token-digest"])
def test_what_is_made_to_be_shown_tells_no_secret_and_logs_in_nowhere(serve, tmp_path, kind):  # noqa: F811
    vendor = serve()
    auth: dict[str, Any] = {"kind": kind, "soap_header": "<a>{password}{token}</a>", "login": LOGIN}
    client = ForeignClient(vendor.partner(tmp_path, username="gw", password=SECRET, auth=auth, operations={}))
    shown = etree.tostring(client.envelope("CallInterface", {"msgHeader": "h", "msgBody": "b"})).decode()
    assert "<" + "soap" in shown
    assert "msgBody" in shown
    assert SECRET not in shown
    assert "Security" not in shown
    assert vendor.bodies == []


class Counter:
    """Where one gets a token by logging in, and which forgets them all when told."""

    def __init__(self) -> None:
        self.logins: list[bytes] = []
        self.works = True
        counter = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                counter.logins.append(self.rfile.read(int(self.headers["Content-Length"])))
                token = f"<LoginResult>token-{len(counter.logins)}</LoginResult>" if counter.works else ""
                body = f'<e:Envelope xmlns:e="{SOAP}"><e:Body>{token}</e:Body></e:Envelope>'.encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/login"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def counter() -> Iterator[Counter]:
    made = Counter()
    yield made
    made.close()


def with_token(vendor: Vendor, folder, counter: Counter):
    auth = {"kind": "none", "http_headers": {"X-Token": "{token}"}, "login": LOGIN | {"url": counter.url}}
    return send(vendor, folder, username="gw", password=SECRET, auth=auth)


def test_a_login_comes_before_the_message_and_its_token_goes_with_it(serve, tmp_path, counter):  # noqa: F811
    vendor = serve()
    assert with_token(vendor, tmp_path, counter).is_yes
    assert vendor.headers[0]["X-Token"] == "token-1"
    (login,) = counter.logins
    assert [child.text for child in etree.fromstring(login)[0][0]] == ["gw", SECRET]


def test_without_a_login_nothing_is_sent(serve, tmp_path, counter):  # noqa: F811
    vendor, counter.works = serve(), False
    answer = with_token(vendor, tmp_path, counter)
    assert (answer.outcome, answer.code) == (Outcome.NOT_SENT, "LOGIN")
    assert vendor.bodies == []
