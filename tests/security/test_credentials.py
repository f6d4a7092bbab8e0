"""What a request may bring to say who is calling, and what is refused before anything is verified."""

import base64

import pytest
from lxml import etree
from suds.wsse import Security as SudsSecurity
from suds.wsse import UsernameToken as SudsToken
from zeep.wsse.username import UsernameToken as ZeepToken

from gateway.errors import NotAuthenticated
from gateway.security.credentials import read_credentials
from tests.security.builders import (
    DIGEST,
    NOON,
    PASSWORD,
    auth_header,
    basic,
    block,
    digest_token,
    username_token,
)

PLAIN_TOKEN = f"<wsse:Username>HIS</wsse:Username><wsse:Password>{PASSWORD}</wsse:Password>"


def encoded(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("headers", "authorization"),
    [
        ([auth_header()], None),
        ([username_token(PLAIN_TOKEN)], None),
        ([], basic()),
        ([], basic().replace("Basic", "bAsIc")),
        ([auth_header(), username_token(PLAIN_TOKEN)], basic()),
        ([block("<g:AuthHeader/>")], basic()),
        ([block("<g:AuthHeader> <g:Username/><g:Password> </g:Password></g:AuthHeader>")], basic()),
        ([block("<g:Other/>"), etree.Comment("c"), auth_header()], "Negotiate YIIabc"),
        ([auth_header("\n  HIS\n", f"\n  {PASSWORD}\t")], None),
    ],
)
def test_a_caller_may_name_itself_in_any_of_three_ways(headers, authorization):
    credentials = read_credentials(headers, authorization)
    assert (credentials.name, credentials.password) == ("HIS", PASSWORD)


@pytest.mark.parametrize("authorization", [None, "", "Bearer abc", "Digest username=HIS"])
def test_a_request_without_any_credential_is_told_from_a_bad_one(authorization):
    assert read_credentials([block("<wsse:Security><wsu:Timestamp/></wsse:Security>")], authorization) is None


def test_a_header_block_built_by_hand_may_leave_the_namespace_of_its_fields_out():
    plain = block(f"<g:AuthHeader><Password>{PASSWORD}</Password><Username>HIS</Username></g:AuthHeader>")
    assert read_credentials([plain], None).password == PASSWORD


@pytest.mark.parametrize(
    ("headers", "authorization"),
    [
        ([auth_header(), auth_header()], None),
        ([auth_header(), auth_header("PACS")], None),
        ([username_token(PLAIN_TOKEN), username_token(PLAIN_TOKEN)], None),
        ([auth_header(), block("<g:AuthHeader/>")], None),
        ([auth_header()], basic("PACS")),
        ([auth_header()], basic("HIS", "another password")),
        ([auth_header("PACS"), digest_token()], None),
        ([username_token(PLAIN_TOKEN)], basic("his")),
    ],
)
def test_credentials_that_disagree_or_come_twice_are_refused(headers, authorization):
    with pytest.raises(NotAuthenticated):
        read_credentials(headers, authorization)


@pytest.mark.parametrize(
    "fields",
    [
        "<g:Username>HIS</g:Username>",
        f"<g:Password>{PASSWORD}</g:Password>",
        "<g:User>HIS</g:User>",
        "HIS",
        "<g:Username>HIS</g:Username><g:Username>HIS</g:Username><g:Password>p</g:Password>",
        "<g:Username>HIS</g:Username><Username>PACS</Username><g:Password>p</g:Password>",
        "<g:Username>HIS</g:Username><g:Password>p</g:Password><g:Role>admin</g:Role>",
        "<g:Username>HI<!-- -->S</g:Username><g:Password>p</g:Password>",
        "<g:Username>HI<?pi?>S</g:Username><g:Password>p</g:Password>",
        "<g:Username>HIS<b/></g:Username><g:Password>p</g:Password>",
        "<g:Username/><g:Password>p</g:Password>",
        "<g:Username>H IS</g:Username><g:Password>p</g:Password>",
        "<g:Username>H:IS</g:Username><g:Password>p</g:Password>",
        "<g:Username>医院</g:Username><g:Password>p</g:Password>",
        f"<g:Username>{'H' * 21}</g:Username><g:Password>p</g:Password>",
        f"<g:Username>HIS</g:Username><g:Password>{'p' * 129}</g:Password>",
    ],
)
def test_a_malformed_auth_header_is_refused(fields):
    with pytest.raises(NotAuthenticated):
        read_credentials([block(f"<g:AuthHeader>{fields}</g:AuthHeader>")], None)


NAME = "<wsse:Username>HIS</wsse:Username>"
CREATED = "<wsu:Created>2026-03-02T12:00:00Z</wsu:Created>"
NONCE = "<wsse:Nonce>MTIzNA==</wsse:Nonce>"
GOOD_DIGEST = f'<wsse:Password Type="{DIGEST}">AAAAAAAAAAAAAAAAAAAAAAAAAAA=</wsse:Password>'


@pytest.mark.parametrize(
    "fields",
    [
        "",
        NAME,
        "<wsse:Password>p</wsse:Password>",
        f"{NAME}{NAME}<wsse:Password>p</wsse:Password>",
        f"{NAME}<wsse:Password>p</wsse:Password><wsse:Password>q</wsse:Password>",
        f'{NAME}<wsse:Password Type="http://example.com#PasswordCustom">p</wsse:Password>',
        f"{NAME}{GOOD_DIGEST}",
        f"{NAME}{GOOD_DIGEST}{NONCE}",
        f"{NAME}{GOOD_DIGEST}{CREATED}",
        f"{NAME}{GOOD_DIGEST}{CREATED}<wsse:Nonce/>",
        f"{NAME}{GOOD_DIGEST}{CREATED}<wsse:Nonce>*not base64*</wsse:Nonce>",
        f"{NAME}{GOOD_DIGEST}{CREATED}<wsse:Nonce>MTIzN</wsse:Nonce>",
        f"{NAME}{GOOD_DIGEST}{CREATED}<wsse:Nonce>{'MTIz' * 50}</wsse:Nonce>",
        f"{NAME}{GOOD_DIGEST}{NONCE}{NONCE}{CREATED}",
        f"{NAME}{GOOD_DIGEST}{NONCE}{CREATED}{CREATED}",
        f"{NAME}{GOOD_DIGEST}{NONCE}<wsu:Created>yesterday</wsu:Created>",
        f"{NAME}{GOOD_DIGEST}{NONCE}<wsu:Created>2026-13-02T12:00:00Z</wsu:Created>",
        f"{NAME}{GOOD_DIGEST}{NONCE}<wsu:Created>2026-03-02T12:00:00{'0' * 99}Z</wsu:Created>",
        f"{NAME}{GOOD_DIGEST}{NONCE}<wsu:Created>2026-<!-- -->03-02T12:00:00Z</wsu:Created>",
        f'{NAME}<wsse:Password Type="{DIGEST}">AAAA</wsse:Password>{NONCE}{CREATED}',
        f'{NAME}<wsse:Password Type="{DIGEST}">密码</wsse:Password>{NONCE}{CREATED}',
    ],
)
def test_a_malformed_username_token_is_refused(fields):
    with pytest.raises(NotAuthenticated):
        read_credentials([username_token(fields)], None)


@pytest.mark.parametrize(
    "authorization",
    [
        "Basic",
        "Basic ",
        "Basic *",
        "Basic SElT",
        "Basic SElT\u20ac",
        encoded("HIS"),
        encoded(":p"),
        encoded("H S:p"),
        encoded("HIS:" + "p" * 129),
        "Basic " + base64.b64encode("HIS:密码".encode("gbk")).decode(),
        f"{basic()}, {basic()}",
    ],
)
def test_a_malformed_authorization_line_is_refused(authorization):
    with pytest.raises(NotAuthenticated):
        read_credentials([], authorization)


@pytest.mark.parametrize("kind", [DIGEST, "wsse:PasswordDigest", "PasswordDigest"])
def test_a_digest_is_known_by_the_last_word_of_its_type(kind):
    header = digest_token()
    header.find(".//{*}Password").set("Type", kind)
    assert read_credentials([header], None).token.proves(PASSWORD)


@pytest.mark.parametrize(
    "created", ["2026-03-02T12:00:00Z", "2026-03-02T12:00:00.1234567Z", "2026-03-02T20:00:00+08:00", "2026-03-02T12:00"]
)
def test_the_time_of_a_token_may_be_written_as_toolkits_write_it(created):
    token = read_credentials([digest_token(created=created)], None).token
    assert token.created.replace(microsecond=0) == NOON
    assert token.proves(PASSWORD)


@pytest.mark.parametrize("use_digest", [True, False])
@pytest.mark.parametrize("zulu", [True, False])
def test_the_tokens_of_zeep_are_read(use_digest, zulu):
    envelope = etree.fromstring(
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header/><s:Body/></s:Envelope>'
    )
    ZeepToken("HIS", PASSWORD, use_digest=use_digest, zulu_timestamp=zulu).apply(envelope, {})
    credentials = read_credentials(list(envelope[0]), None)
    assert credentials.name == "HIS"
    assert credentials.token.proves(PASSWORD) if use_digest else credentials.password == PASSWORD


@pytest.mark.filterwarnings("ignore:.*utcnow.*:DeprecationWarning")  # of suds, since Python 3.12
def test_the_tokens_of_suds_are_read():
    token = SudsToken("HIS", PASSWORD)
    token.setnonce()
    token.setcreated()
    security = SudsSecurity()
    security.tokens.append(token)
    credentials = read_credentials([etree.fromstring(security.xml().str())], None)
    assert (credentials.name, credentials.password) == ("HIS", PASSWORD)
    assert credentials.token.nonce
    assert credentials.token.created.tzinfo


@pytest.mark.parametrize("headers", [[auth_header()], [digest_token()], [username_token(PLAIN_TOKEN)]])
def test_neither_repr_nor_refusal_shows_what_was_sent(headers):
    credentials = read_credentials(headers, None)
    assert repr([credentials, credentials.token]).replace("UsernameToken", "Token") in (
        "[<Credentials>, None]",
        "[<Credentials>, <Token>]",
    )
    with pytest.raises(NotAuthenticated) as refusal:
        read_credentials([*headers, *headers], None)
    assert "HIS" not in refusal.value.text_zh + refusal.value.text_en + repr(refusal.value)
