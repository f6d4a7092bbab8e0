"""What a facade is: the keys of facades/<name>/facade.toml. They are described in docs/facades.md."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal

from lxml import etree
from pydantic import AfterValidator, Field, model_validator

from gateway.strict import Identifier, Strict


def _is_xpath(text: str) -> str:
    try:
        etree.XPath(text)
    except etree.XPathSyntaxError:
        raise ValueError("is no XPath") from None
    return text


Xpath = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_is_xpath)]
FileName = Annotated[str, Field(min_length=1, max_length=200)]
"""A path below the facade's folder, or gateway:... for what ships with the gateway."""
FACADE_NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$"
FacadeName = Annotated[str, Field(pattern=FACADE_NAME)]
"""The last part of its address."""
WITHOUT_OPERATION = ("single", "hl7-string")
"""Styles whose operations every vendor calls otherwise."""


class FacadeFunction(Strict):
    """How one function of the vendor becomes a message of ours, and our answer its answer."""

    operation: str | None = None
    """Our operation; when absent, the root element that the stylesheet makes names it."""
    request: FileName
    """The stylesheet from their message to ours."""
    response: FileName | None = None
    """The stylesheet from our answer, a fault included, to theirs; that of the facade when absent."""


class Facade(Strict):
    """One facade: facades/<name>/facade.toml."""

    name: FacadeName
    folder: Path = Field(default=Path("."), exclude=True)
    """Where its files are."""
    files: str = ""
    """A digest of its stylesheets, by which nodes tell that they have the same."""
    style: Literal["call-interface", "hip-message-server", "tech-service", "call", "single", "esb-entry", "hl7-string"]
    namespace: Annotated[str, Field(max_length=200)] = "http://tempuri.org/"
    """Of its WSDL; messages in any other are taken as well."""
    binding: Literal["document", "rpc", "encoded"] = "document"
    service: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,60}$")] = "Service"
    operations: tuple[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,60}$")], ...] = ()
    """Of a style whose operations every vendor calls otherwise; the functions' names when absent."""
    parameters: dict[str, str] = {}
    """What parameters and results are called where not as usual: {payload = "XMLParameter"}."""
    payload: Literal["xml", "hl7", "json", "text"] = "xml"
    """What the string holds."""
    charset: Literal["utf-8", "gb18030", "gbk", "gb2312"] = "utf-8"
    """Of the answers; a message is read in whatever charset it comes."""
    declaration: bool = False
    """Whether the string of an answer begins with an XML declaration that names this charset."""
    function: Xpath | None = None
    """Where the payload names its function, in a style that does not."""
    functions: dict[str, FacadeFunction] = Field(min_length=1)
    """Name at the vendor -> how it is carried out; "*" stands for every other name."""
    response: FileName
    """The stylesheet of answers: of faults before the function is known, and of functions without one of their own."""
    accepted_code: str | None = None
    """What the style's own result says of a yes; "0" when absent, "true" in esb-entry."""
    refused_code: str | None = None
    """The same of a no; "-1" when absent, "false" in esb-entry."""
    statuses: Literal["always-200", "as-soap"] = "always-200"
    """The HTTP status of an answer that tells of a fault."""
    client: Identifier | None = None
    """The client that calls here; needed where the proof of it names none."""
    username: Xpath | None = None
    """Where the payload says who calls."""
    password: Xpath | None = None
    """Where the payload proves it."""
    addresses: tuple[IPv4Network | IPv6Network, ...] = ()
    """Who calls from here is taken for the client without any proof."""
    partner: Identifier | None = None
    """Whose code tables are used; those of the calling client when absent."""
    hospital_code: Annotated[str, Field(pattern=r"^[!-~]{1,22}$")] | None = None
    """Of messages that name none; that of the site when absent."""

    @model_validator(mode="after")
    def _knows_who_calls(self) -> Facade:
        if self.addresses and self.client is None:
            raise ValueError("addresses need client: who is it that calls from there?")
        if self.password is not None and self.username is None and self.client is None:
            raise ValueError("password needs username or client")
        if self.username is not None and self.password is None:
            raise ValueError("username needs password")
        return self

    @model_validator(mode="after")
    def _has_operations(self) -> Facade:
        if self.operations and self.style not in WITHOUT_OPERATION:
            raise ValueError(f"operations belongs to the styles {', '.join(WITHOUT_OPERATION)}")
        if self.style in WITHOUT_OPERATION and not self.called:
            raise ValueError("operations must say what the operations are called")
        return self

    @property
    def called(self) -> tuple[str, ...]:
        """The operations of a style without one of its own."""
        if self.style not in WITHOUT_OPERATION:
            return ()
        return self.operations or tuple(name for name in self.functions if name != "*")
