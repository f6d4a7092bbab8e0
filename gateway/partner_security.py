"""How the gateway and a partner prove themselves to each other: the tables [tls] and [auth] of partner.toml."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from lxml import etree
from pydantic import Field, HttpUrl, SecretStr, field_validator, model_validator

from gateway.strict import Strict

FileName = Annotated[str, Field(pattern=r"^[^\\\x00]{1,200}$")]
"""A path that begins in the partner's folder, or a full one."""
HeaderName = Annotated[str, Field(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$")]
SecretName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,30}$")]
WORD = re.compile(r"\{([a-z][a-z0-9_]*)\}")
"""What stands for a value in a template."""
_HEADER_VALUE = re.compile(r"[ -~]*")


class Tls(Strict):
    """How a partner's TLS is checked, and how the gateway proves itself there."""

    ca_file: FileName | None = None
    """The authorities that may have signed its certificate; those of the operating system when absent."""
    certificate_file: FileName | None = None
    """Our certificate, with what leads to its authority; PEM."""
    key_file: FileName | None = None
    """Its key, where that does not stand in the same file."""
    key_password: SecretStr | None = None
    check_name: bool = True
    """Whether its certificate must be for the host of its address."""
    oldest: Literal["1.0", "1.1", "1.2", "1.3"] = "1.2"
    """The oldest version of TLS spoken with it; 1.0 and 1.1 also allow the ciphers of their time."""

    @model_validator(mode="after")
    def _key_with_its_certificate(self) -> Tls:
        _refuse_key_alone(self.certificate_file, self.key_file, self.key_password)
        return self


class Login(Strict):
    """A call that gives a token, by which the calls after it are known."""

    body: str
    """The one element of the login's SOAP body, with {username} and {password}."""
    action: str = ""
    """Its SOAPAction."""
    url: HttpUrl | None = None
    """Where it is sent; the partner's own address when absent."""
    token: str
    """Where its answer has the token: an XPath."""
    seconds: float = Field(default=1200, ge=10)
    """How long a token is used before a new one is asked for; one answered with HTTP 401 is not used again."""
    expired: str | None = None
    """What is true of an answer that says the token is no longer good: an XPath."""

    @field_validator("token", "expired")
    @classmethod
    def _is_xpath(cls, value: str | None) -> str | None:
        try:
            etree.XPath(value or ".")
        except etree.XPathError:
            raise ValueError("this is no XPath") from None
        return value


class Auth(Strict):
    """How the gateway says who it is, beside TLS. Without it: HTTP Basic, when there is a username."""

    kind: Literal["none", "basic", "username-token", "username-token-digest", "x509"] = "basic"
    nonce: bool = False
    """Whether a token with the password as text has Nonce and Created too; one with a digest always has."""
    timestamp: bool = False
    """Whether a wsu:Timestamp goes with a token or a signature."""
    certificate_file: FileName | None = None
    """By which envelopes are signed; that of [tls] with its key when absent."""
    key_file: FileName | None = None
    key_password: SecretStr | None = None
    algorithm: Literal["sha256", "sha1"] = "sha256"
    """Of the signature; sha1 is for partners that know nothing newer."""
    http_headers: dict[HeaderName, str] = Field(default_factory=dict)
    """Further HTTP headers; {username}, {password}, {token} and the names of secrets stand for their values."""
    soap_header: str | None = None
    """XML of header blocks of the partner's own, with the same words."""
    secrets: dict[SecretName, SecretStr] = Field(default_factory=dict)
    """Further secrets, each from a file that [auth.secret_files] names."""
    login: Login | None = None

    @field_validator("secrets")
    @classmethod
    def _one_line_each(cls, value: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, secret in value.items():
            if name in ("username", "password", "token"):
                raise ValueError(f"{name} is a word with another meaning")
            refuse_lines(secret)
        return value

    @model_validator(mode="after")
    def _templates_can_be_filled(self) -> Auth:
        known = {"username", "password", *self.secrets}
        if self.login is not None:
            if len(xml_template(self.login.body)) != 1:
                raise ValueError("login.body must be one element")
            _refuse_unknown("login.body", self.login.body, known)
            known.add("token")
        if self.soap_header is not None:
            xml_template(self.soap_header)
            _refuse_unknown("soap_header", self.soap_header, known)
        for name, value in self.http_headers.items():
            _refuse_unknown(f"http_headers.{name}", value, known)
        return self

    @model_validator(mode="after")
    def _key_with_its_certificate(self) -> Auth:
        _refuse_key_alone(self.certificate_file, self.key_file, self.key_password)
        return self

    def templates(self) -> Iterator[str]:
        """All that is filled in."""
        yield from self.http_headers.values()
        yield from (text for text in (self.soap_header, self.login.body if self.login else None) if text is not None)


def refuse_impossible(auth: Auth, tls: Tls, username: str | None, password: SecretStr | None) -> None:
    """Raise ValueError for an [auth] that lacks what it speaks of in the rest of partner.toml."""
    if password is not None:
        refuse_lines(password)
    if auth.kind.startswith("username-token") and (username is None or password is None):
        raise ValueError(f'auth.kind = "{auth.kind}" needs username and password_file')
    if auth.kind == "x509" and auth.certificate_file is None and tls.certificate_file is None:
        raise ValueError('auth.kind = "x509" needs certificate_file in [auth] or [tls]')
    said = {word for template in auth.templates() for word in WORD.findall(template)}
    for word, key, value in (("username", "username", username), ("password", "password_file", password)):
        if word in said and value is None:
            raise ValueError(f"auth: {{{word}}} needs {key}")
    values = {"username": username or "", "password": password.get_secret_value() if password else "", "token": ""}
    values |= {name: secret.get_secret_value() for name, secret in auth.secrets.items()}
    for name, template in auth.http_headers.items():
        if not _HEADER_VALUE.fullmatch(WORD.sub(lambda word: values[word[1]], template)):
            raise ValueError(f"auth.http_headers.{name}: a header has letters, digits and signs of ASCII only")


def refuse_lines(secret: SecretStr) -> None:
    """Raise ValueError for a secret that has become more than one line."""
    if re.search(r"[\x00-\x1f\x7f]", secret.get_secret_value()):
        raise ValueError("a secret has more than one line, or characters that cannot be seen")


def xml_template(text: str) -> etree._Element:
    """An element whose children are the XML of a setting. Raises ValueError."""
    try:
        return etree.fromstring(f"<x>{text}</x>", etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError as problem:
        raise ValueError(f"this is no XML: {problem.msg}") from None


def _refuse_unknown(key: str, text: str, known: set[str]) -> None:
    for word in WORD.findall(text):
        if word not in known:
            raise ValueError(f"{key} has {{{word}}}; what there is: {', '.join(sorted(known))}")


def _refuse_key_alone(certificate: str | None, key: str | None, password: SecretStr | None) -> None:
    if (key is not None or password is not None) and certificate is None:
        raise ValueError("a key needs its certificate_file")
