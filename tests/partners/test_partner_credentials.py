"""The gateway says who it is, in whatever way a partner wants to hear it."""

import hashlib
import threading
import time
from base64 import b64decode, b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from lxml import etree
from pydantic import ValidationError

from gateway.operations.dispatch import Outcome
from gateway.partner_config import Partner
from gateway.partners.connection import exchange
from gateway.partners.credentials import Credentials
from gateway.partners.failures import UnusableReply
from gateway.partners.files import UnusableFile
from gateway.partners.signature import DSIG, WSSE, WSU
from tests.partners.certificates import Authority

SECRET = "pa&ss<w>ö"
SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
MORNING = datetime(2026, 11, 28, 9, 2, 3, tzinfo=timezone(timedelta(hours=8)))
PLATFORM = {"fixmedins_code": "H44010000001", "mdtrtarea_admvs": "440100"}
ASMX = (
    '<MySoapHeader xmlns="http://tempuri.org/"><UserName>{username}</UserName><PassWord>{password}</PassWord>'
    "</MySoapHeader>"
)


def partner(folder: Any = ".", **settings: Any) -> Partner:
    known = {"username": "gw", "password": SECRET} | settings
    return Partner(name="HIS", url="http://his.example.org/soap", folder=folder, **known)


def credentials(post: Any = None, **settings: Any) -> Credentials:
    return Credentials(partner(**settings), post, lambda: MORNING)


def envelope() -> etree._Element:
    return etree.fromstring(f'<s:Envelope xmlns:s="{SOAP11}"><s:Body><x/></s:Body></s:Envelope>')


def header(made: Credentials) -> etree._Element:
    """The SOAP header as it leaves."""
    sent, _ = made.apply(envelope(), {})
    return etree.fromstring(etree.tostring(sent)).find(f"{{{SOAP11}}}Header")


# --- HTTP -------------------------------------------------------------------------------------------------------------


def test_a_user_with_a_password_is_http_basic_when_nothing_else_is_said():
    sent, headers = credentials().apply(envelope(), {"SOAPAction": '"x"'})
    assert headers == {"SOAPAction": '"x"', "Authorization": "Basic " + b64encode(f"gw:{SECRET}".encode()).decode()}
    assert etree.tostring(sent) == etree.tostring(envelope())


def test_without_a_user_nothing_is_said():
    assert credentials(username=None, password=None).http_headers() == {}
    assert credentials(auth={"kind": "none"}).http_headers() == {}


def test_a_token_goes_into_headers_of_any_name():
    headers = {"Authorization": "Bearer {key}", "X-User": "{username}/{plain"}
    made = credentials(auth={"http_headers": headers, "secrets": {"key": "eyJ.x"}})
    assert made.http_headers() == {"Authorization": "Bearer eyJ.x", "X-User": "gw/{plain"}


# --- in the SOAP header -----------------------------------------------------------------------------------------------


def test_a_username_token_holds_the_password_as_text():
    token = header(credentials(auth={"kind": "username-token"})).find(f"{{{WSSE}}}Security/{{{WSSE}}}UsernameToken")
    assert [(etree.QName(child).localname, child.text) for child in token] == [("Username", "gw"), ("Password", SECRET)]
    assert token[1].get("Type").endswith("#PasswordText")


def test_a_digest_is_that_of_the_profile_with_a_nonce_of_its_own_and_the_time_in_utc():
    made = credentials(auth={"kind": "username-token-digest"})
    tokens = [header(made).find(f".//{{{WSSE}}}UsernameToken") for _ in range(2)]
    nonces = {token.findtext(f"{{{WSSE}}}Nonce") for token in tokens}
    assert len(nonces) == 2
    nonce, created = tokens[0].findtext(f"{{{WSSE}}}Nonce"), tokens[0].findtext(f"{{{WSU}}}Created")
    assert created == "2026-11-28T01:02:03.000Z"
    expected = hashlib.sha1(b64decode(nonce) + created.encode() + SECRET.encode()).digest()
    assert tokens[0].findtext(f"{{{WSSE}}}Password") == b64encode(expected).decode()
    assert SECRET.encode() not in etree.tostring(tokens[0])


def test_a_text_token_may_have_nonce_and_time_and_any_token_a_timestamp():
    security = header(credentials(auth={"kind": "username-token", "nonce": True, "timestamp": True}))[0]
    assert [etree.QName(child).localname for child in security] == ["UsernameToken", "Timestamp"]
    assert [etree.QName(child).localname for child in security[0]] == ["Username", "Password", "Nonce", "Created"]


def test_a_header_of_the_partners_own_is_filled_in_and_no_value_becomes_markup():
    found = header(credentials(auth={"kind": "none", "soap_header": ASMX}))
    assert [child.tag for child in found] == ["{http://tempuri.org/}MySoapHeader"]
    assert [child.text for child in found[0]] == ["gw", SECRET]


def test_several_blocks_and_attributes_are_filled_in_too():
    found = header(credentials(auth={"kind": "none", "soap_header": '<a u="{username}"/>\n<b>x {username} y</b>'}))
    assert [(child.tag, child.text, dict(child.attrib)) for child in found] == [
        ("a", None, {"u": "gw"}),
        ("b", "x gw y", {}),
    ]


# --- a signature ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["auth", "tls"])
def test_an_envelope_is_signed_with_the_certificate_of_the_folder(tmp_path, where):
    Authority(tmp_path).issue("gateway", password="phrase")
    files = {"certificate_file": "gateway.pem", "key_file": "gateway.key", "key_password": "phrase"}
    settings = {"auth": {"kind": "x509", "timestamp": True}}
    settings[where] = settings.get(where, {}) | files
    found = header(credentials(folder=tmp_path, username=None, password=None, **settings))
    assert len(found.findall(f".//{{{DSIG}}}Reference")) == 2


def test_a_renewed_certificate_signs_the_next_message(tmp_path):
    authority = Authority(tmp_path)
    authority.issue("gateway")
    files = {"certificate_file": "gateway.pem", "key_file": "gateway.key"}
    made = credentials(folder=tmp_path, auth={"kind": "x509", **files})
    tokens = [header(made).findtext(f".//{{{WSSE}}}BinarySecurityToken")]
    authority.issue("gateway")
    tokens.append(header(made).findtext(f".//{{{WSSE}}}BinarySecurityToken"))
    assert len(set(tokens)) == 2


def test_a_message_that_cannot_be_signed_does_not_leave(tmp_path):
    made = credentials(folder=tmp_path, auth={"kind": "x509", "certificate_file": "gateway.pem"})
    with pytest.raises(UnusableFile, match=r"gateway\.pem: it cannot be read"):
        made.apply(envelope(), {})


# --- a login ----------------------------------------------------------------------------------------------------------


@dataclass
class Answer:
    status: int
    body: bytes
    content_type: str = "text/xml"


class Door:
    """Where the gateway logs in; gives a new token each time."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, bytes, dict[str, str]]] = []
        self.says: Any = None

    def __call__(self, address: str, body: bytes, headers: dict[str, str]) -> Answer:
        self.asked.append((address, body, headers))
        if isinstance(self.says, Exception):
            raise self.says
        given = f"<e><LoginResult> token-{len(self.asked)} </LoginResult></e>"
        return self.says or Answer(200, given.encode())


LOGIN = {
    "body": '<Login xmlns="http://tempuri.org/"><u>{username}</u><p>{password}</p></Login>',
    "action": "http://tempuri.org/Login",
    "token": "//LoginResult",
}


def with_login(door: Door, **login: Any) -> Credentials:
    auth = {"kind": "none", "http_headers": {"X-Token": "{token}"}, "login": LOGIN | login}
    return credentials(door, auth=auth)


@pytest.fixture
def way():
    with exchange(5, 3) as current:
        yield current


def test_a_login_gives_the_token_for_all_that_follows(way):
    door = Door()
    made = with_login(door)
    assert [made.apply(envelope(), {})[1] for _ in range(3)] == [{"X-Token": "token-1"}] * 3
    ((address, body, headers),) = door.asked
    assert address == "http://his.example.org/soap"
    assert headers == {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '"http://tempuri.org/Login"'}
    login = etree.fromstring(body)[0][0]
    assert (login.tag, [child.text for child in login]) == ("{http://tempuri.org/}Login", ["gw", SECRET])


def test_a_token_is_renewed_after_its_time(way):
    made = with_login(Door(), seconds=60)
    assert made.http_headers() == {"X-Token": "token-1"}
    assert 50 < made._token._good_until - time.monotonic() <= 60
    made._token._good_until = time.monotonic()
    assert made.http_headers() == {"X-Token": "token-2"}


@pytest.mark.parametrize(
    ("answer", "token"),
    [
        (Answer(401, b"no"), "token-2"),
        (Answer(200, b"<e><code>-99</code></e>"), "token-2"),
        (Answer(200, b"<e><code>0</code></e>"), "token-1"),
        (Answer(500, b"no XML"), "token-1"),
    ],
)
def test_a_token_the_partner_no_longer_takes_is_renewed_for_the_next_message(way, answer, token):
    made = with_login(Door(), expired="//code = '-99'")
    made.http_headers()
    made.look_at(answer)
    assert made.http_headers() == {"X-Token": token}


def test_a_token_inside_a_string_of_xml_and_in_another_charset_is_found(way):
    door = Door()
    inner = "<?xml version='1.0' encoding='gb2312'?><Login><Name>王</Name><Token>t-9</Token></Login>"
    text = f"<e><r>{inner.replace('<', '&lt;')}</r></e>"
    door.says = Answer(200, text.encode("gbk"), "text/xml; charset=GBK")
    assert with_login(door, token="/e/r/Login/Token").http_headers() == {"X-Token": "t-9"}


@pytest.mark.parametrize(
    "says",
    [
        Answer(500, b"<e><LoginResult>t</LoginResult></e>"),
        Answer(200, b"<e/>"),
        Answer(200, b"<e><LoginResult> </LoginResult></e>"),
        Answer(200, "<e><LoginResult>密\r\nX: y</LoginResult></e>".encode()),
        Answer(200, b"<html>"),
        TimeoutError("secret"),
    ],
    ids=["status", "none", "empty", "unprintable", "html", "time-out"],
)
def test_a_login_that_fails_means_nothing_was_sent(way, says):
    door = Door()
    made = with_login(door)
    door.says = says
    way.has_left = True
    with pytest.raises(UnusableReply) as told:
        made.http_headers()
    assert (told.value.code, told.value.outcome, way.has_left) == ("LOGIN", Outcome.NOT_SENT, False)


def test_one_login_does_for_many_threads(way):
    door = Door()
    made = with_login(door)
    found = []

    def ask() -> None:
        with exchange(5, 3):
            found.append(made.http_headers()["X-Token"])

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (found, len(door.asked)) == (["token-1"] * 8, 1)


def test_nobody_waits_for_the_login_of_another_beyond_his_own_deadline():
    made = with_login(Door())
    with made._token._lock, exchange(0.1, 3), pytest.raises(UnusableReply) as told:
        made.http_headers()
    assert (told.value.code, told.value.outcome) == ("LOGIN", Outcome.NOT_SENT)


# --- what is refused, and what is not told ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"auth": {"soap_header": "<a>"}}, "this is no XML"),
        ({"auth": {"soap_header": "<a>{token}</a>"}}, "soap_header has {token}; what there is: password, username"),
        ({"auth": {"http_headers": {"X": "{key}"}}}, "http_headers.X has {key}"),
        ({"auth": {"http_headers": {"X Y": "1"}}}, "String should match"),
        ({"auth": {"login": LOGIN | {"body": "<a/><b/>"}}}, "login.body must be one element"),
        ({"auth": {"login": LOGIN | {"token": "//["}}}, "this is no XPath"),
        ({"auth": {"kind": "x509"}}, 'kind = "x509" needs certificate_file'),
        ({"auth": {"kind": "username-token"}, "username": None, "password": None}, "needs username and password_file"),
        ({"auth": {"soap_header": ASMX}, "password": None}, "{password} needs password_file"),
        ({"auth": {"http_headers": {"X": "{username}"}}, "username": None}, "{username} needs username"),
        ({"auth": {"http_headers": {"X": "{password}"}}}, "letters, digits and signs of ASCII"),
        ({"password": "two\nlines"}, "more than one line"),
        ({"auth": {"secrets": {"key": "two\nlines"}}}, "more than one line"),
        ({"auth": {"secrets": {"token": "x"}}}, "token is a word with another meaning"),
        ({"auth": {"key_file": "x.key"}}, "a key needs its certificate_file"),
        ({"auth": {"soap_header": ASMX}, "dialect": "insurance", "insurance": PLATFORM}, "gets no SOAP"),
    ],
)
def test_credentials_that_cannot_work_are_refused_when_they_are_read(settings, said):
    with pytest.raises(ValidationError) as told:
        partner(**settings)
    assert said in str(told.value)
    assert SECRET not in str(told.value.errors(include_input=False, include_url=False, include_context=False))


def test_no_secret_is_in_what_is_shown_of_them(tmp_path):
    made = credentials(auth={"http_headers": {"X": "{key}"}, "secrets": {"key": "k-e-y"}})
    shown = repr(made) + repr(made._partner) + str(vars(made))
    assert SECRET not in shown
    assert "k-e-y" not in shown
