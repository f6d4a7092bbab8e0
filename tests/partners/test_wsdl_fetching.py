"""A WSDL is copied from a web server with all it imports, as vendors' servers really give them."""

import base64
import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from gateway.partners.wsdl.copying import Copied, copy_wsdl
from gateway.partners.wsdl.describing import describe
from gateway.partners.wsdl.errors import WsdlError
from gateway.partners.wsdl.loading import load

ODD = Path(__file__).parent / "wsdls"
WHOLE = (ODD / "asmx_one_string.wsdl").read_bytes()
XSD = (ODD / "jaxws_orders.xsd").read_bytes()
PARTED = (ODD / "jaxws_schema_beside.wsdl").read_bytes()


class Web:
    """A web server that gives what a test puts under an address, and remembers who asked for what."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes | int] = {}
        self.asked: list[str] = []
        self.login: str | None = None
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                web.asked.append(self.path)
                page = web.pages.get(self.path, 404)
                if web.login is not None and self.headers.get("Authorization") != web.login:
                    page = 401
                content = b"" if isinstance(page, int) else page
                self.send_response(page if isinstance(page, int) else 200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        self.address = f"http://{self.host}/Service.asmx"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def web() -> Iterator[Web]:
    found = Web()
    yield found
    found.close()


def words(result: Copied) -> str:
    return "\n".join(repair.text for repair in result.repairs)


@pytest.mark.parametrize("query", ["?wsdl", "?WSDL", "?singleWsdl", ""])
def test_a_wsdl_is_fetched_by_its_address(query: str, web: Web, tmp_path: Path):
    web.pages["/Service.asmx" + query] = WHOLE
    result = copy_wsdl(web.address + query, tmp_path / "wsdl")
    assert describe(load(result.wsdl))[0].operations[0].name == "SendReport"


def test_the_page_of_help_is_asked_again_with_wsdl(web: Web, tmp_path: Path):
    web.pages["/Service.asmx"] = b"<html><body>HospitalService</body></html>"
    web.pages["/Service.asmx?wsdl"] = WHOLE
    assert load(copy_wsdl(web.address, tmp_path / "wsdl").wsdl)


def test_a_page_stays_a_page(web: Web, tmp_path: Path):
    web.pages["/Service.asmx"] = b"<html><body>HospitalService</body></html>"
    with pytest.raises(WsdlError, match="is a web page, no WSDL"):
        copy_wsdl(web.address, tmp_path / "wsdl")


def test_schemas_are_fetched_from_addresses_of_every_kind(web: Web, tmp_path: Path):
    imports = b'schemaLocation="jaxws_orders.xsd"'
    for place in ("?xsd=xsd0", "schemas/orders.xsd", "/deep/orders.xsd", f"http://{web.host}/other/orders.xsd"):
        web.pages = {
            "/Service.asmx?wsdl": PARTED.replace(imports, f'schemaLocation="{place}"'.encode()),
            "/Service.asmx?xsd=xsd0": XSD,
            "/schemas/orders.xsd": XSD,
            "/deep/orders.xsd": XSD,
            "/other/orders.xsd": XSD,
        }
        result = copy_wsdl(f"{web.address}?wsdl", tmp_path / "wsdl" / str(len(web.asked)))
        assert len(result.files) == 2
        assert load(result.wsdl)


def test_a_host_that_exists_only_at_the_vendors_is_asked_where_the_wsdl_was_had(web: Web, tmp_path: Path):
    away = b'schemaLocation="http://127.0.0.1:9/x/orders.xsd"'
    local = PARTED.replace(b'schemaLocation="jaxws_orders.xsd"', away.replace(b"127.0.0.1:9", b"dev-build-07.invalid"))
    web.pages = {"/Service.asmx?wsdl": local, "/x/orders.xsd": XSD}
    result = copy_wsdl(f"{web.address}?wsdl", tmp_path / "wsdl", seconds=1)
    assert "took orders.xsd from 127.0.0.1, not from dev-build-07.invalid" in words(result)


def test_the_address_of_a_developer_becomes_that_where_the_wsdl_was_had(web: Web, tmp_path: Path):
    web.pages["/Service.asmx?wsdl"] = WHOLE.replace(b"http://his.example.org/", b"http://WIN-8K2JQ:1234/")
    result = copy_wsdl(f"{web.address}?wsdl", tmp_path / "wsdl")
    assert describe(load(result.wsdl))[0].address == f"http://{web.host}/HospitalService.asmx"
    assert "http://WIN-8K2JQ:1234/HospitalService.asmx cannot be reached from here" in words(result)


def test_user_and_password_are_given_to_the_host_of_the_wsdl(web: Web, tmp_path: Path):
    web.login = "Basic " + base64.b64encode(b"gw:s3cret").decode()
    web.pages["/Service.asmx?wsdl"] = WHOLE
    assert load(copy_wsdl(f"{web.address}?wsdl", tmp_path / "a", login=("gw", "s3cret")).wsdl)
    assert load(copy_wsdl(f"http://gw:s3cret@{web.host}/Service.asmx?wsdl", tmp_path / "b").wsdl)


def test_a_login_that_is_needed_is_told_and_the_password_never(web: Web, tmp_path: Path):
    web.login = "Basic x"
    web.pages["/Service.asmx?wsdl"] = WHOLE
    with pytest.raises(WsdlError, match="HTTP 401: the address needs a user and password") as told:
        copy_wsdl(f"http://gw:s3cret@{web.host}/Service.asmx?wsdl", tmp_path / "wsdl")
    assert "s3cret" not in str(told.value)


def test_a_password_in_the_query_is_not_kept_in_the_copy(web: Web, tmp_path: Path):
    web.pages["/Service.asmx?wsdl&password=s3cret"] = WHOLE
    result = copy_wsdl(f"{web.address}?wsdl&password=s3cret", tmp_path / "wsdl")
    assert "s3cret" not in result.wsdl.read_text()


def test_a_compressed_file_is_unpacked(web: Web, tmp_path: Path):
    web.pages["/Service.asmx?wsdl"] = gzip.compress(WHOLE)
    assert "compressed" in words(copy_wsdl(f"{web.address}?wsdl", tmp_path / "wsdl"))


def test_an_address_that_is_not_there_is_told(web: Web, tmp_path: Path):
    with pytest.raises(WsdlError, match=r"/Service.asmx\?wsdl cannot be read: HTTP 404"):
        copy_wsdl(f"{web.address}?wsdl", tmp_path / "wsdl")


def test_a_host_that_does_not_listen_is_told(tmp_path: Path):
    with pytest.raises(WsdlError, match=r"nothing answers at 127\.0\.0\.1:9"):
        copy_wsdl("http://127.0.0.1:9/Service.asmx?wsdl", tmp_path / "wsdl")


def test_a_host_that_is_dead_is_asked_once(web: Web, tmp_path: Path):
    imports = "".join(
        f'<s:import namespace="urn:{number}" schemaLocation="http://127.0.0.1:9/{number}.xsd"/>' for number in range(30)
    )
    web.pages["/Service.asmx?wsdl"] = WHOLE.replace(b"<s:element", imports.encode() + b"<s:element", 1)
    result = copy_wsdl(f"{web.address}?wsdl", tmp_path / "wsdl", seconds=1)
    assert words(result).count("nothing uses it") == 30


def test_a_wsdl_from_a_server_reads_no_file_of_this_computer(web: Web, tmp_path: Path):
    secret = tmp_path / "secret.xsd"
    secret.write_bytes(XSD)
    for place in (str(secret), f"file://{secret}", "../../../../etc/passwd"):
        web.pages["/Service.asmx?wsdl"] = PARTED.replace(b"jaxws_orders.xsd", place.encode())
        with pytest.raises(WsdlError, match="cannot be read"):
            copy_wsdl(f"{web.address}?wsdl", tmp_path / "wsdl")


def test_standards_are_never_fetched(web: Web, tmp_path: Path):
    web.pages["/Service.asmx?wsdl"] = (ODD / "axis1_array_import_from_network.wsdl").read_bytes()
    result = copy_wsdl(f"{web.address}?wsdl", tmp_path / "wsdl")
    assert web.asked == ["/Service.asmx?wsdl"]
    assert "soap-encoding.xsd" in result.files
