"""What a partner is and how it is spoken to: the keys of partners/<name>/partner.toml.

The keys are described in docs/configuration.md; what a mapped partner's folder holds, in docs/partners.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AnyUrl, Field, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from gateway.database_config import KINDS, DatabaseAccess, Poll
from gateway.maintenance_hours import MaintenanceHours, refuse_endless
from gateway.partner_security import Auth, FileName, Tls, refuse_impossible
from gateway.strict import Identifier, Strict

OUR_CONTRACT = "canonical"
INSURANCE_INTERFACE = "insurance"
HL7_MLLP = "hl7-mllp"
DATABASE = "database"
HOOK = "hook"
MAPPED = ("typed", "call-interface", "hip-message-server", "tech-service", "call", "single", "esb-entry", "hl7-string")
"""Dialects of partners with a contract of their own: their WSDL and stylesheets stand in their folder."""
WITHOUT_WSDL = (HL7_MLLP, DATABASE, HOOK)
"""Dialects of partners for which stylesheets are written too, but that have no WSDL."""
NOT_ABOUT_THE_MESSAGE = frozenset({401, 407, 408, 413, 429})
"""HTTP statuses after which the same message may succeed, or by which everybody means the same."""
Xpath = Annotated[str, Field(min_length=1, max_length=500)]


class InsurancePlatform(Strict):
    """How the hospital is known to an insurance platform: the table [insurance] of its partner.toml."""

    fixmedins_code: Annotated[str, Field(pattern=r"^[0-9A-Z]{1,12}$")]
    """The hospital's code at the platform (定点医药机构编号)."""
    mdtrtarea_admvs: Annotated[str, Field(pattern=r"^\d{6}$")]
    """The administrative division of the hospital (就医地)."""
    insuplc_admdvs: Annotated[str, Field(pattern=r"^\d{6}$")] | None = None
    """The division where patients are insured (参保地); that of the hospital when absent."""
    recer_sys_code: Annotated[str, Field(min_length=1, max_length=10)] = "YBXT"
    infver: Annotated[str, Field(min_length=1, max_length=6)] = "V1.0"
    opter_type: Literal["1", "2", "3"] = "2"
    """Who works: 1 a person at a desk, 2 a machine, 3 a mobile terminal."""
    opter: Annotated[str, Field(min_length=1, max_length=30)] = "GATEWAY"
    opter_name: Annotated[str, Field(min_length=1, max_length=50)] = "集成网关"
    insutype: Annotated[str, Field(pattern=r"^\d{1,6}$")] = "310"
    """The kind of insurance (险种) to settle by."""
    registers: bool = False
    """True when the gateway registers visits at the platform (2201, 2401); else HIS does and gives VisitSeq."""
    settles: bool = False
    """True when the gateway settles at the platform on SETTLE and UNSETTLE; else HIS does."""
    sign_in: bool = False
    """Whether the platform wants a sign_no (9001) with every message."""
    sign_in_again: tuple[str, ...] = ("9001",)
    """The infcodes by which it says that the sign_no has run out."""
    echoes_msgid: bool = False
    """True when inf_refmsgid repeats our msgid; an answer with another one is then no answer."""
    signature: Literal["none", "hmac-sha256"] = "none"
    paasid: str = ""
    """Our account at the platform's door, sent with a signature."""
    secret: SecretStr | None = None


class Hook(Strict):
    """How a partner answers that only takes HTTP POSTs: the table [hook] of its partner.toml."""

    answers: Literal["json", "xml", "text"] | None = None
    """What its answers hold, where that is not what it is sent."""
    refuses: tuple[Annotated[int, Field(ge=400, le=499)], ...] = ()
    """HTTP statuses by which its own program says no, whatever the answer holds."""
    secret: SecretStr | None = None
    """By which every body is signed, as the notices of webhooks are."""

    @field_validator("refuses")
    @classmethod
    def _statuses_are_of_programs(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if wrong := sorted(NOT_ABOUT_THE_MESSAGE.intersection(value)):
            raise ValueError(f"{wrong[0]} is said by web servers, not about the message: leave it out")
        return value


class FieldLimit(Strict):
    """How much of a field of ours the partner takes."""

    path: Annotated[str, Field(pattern=r"^[A-Z][A-Za-z0-9]*(/[A-Z][A-Za-z0-9]*)*$")]
    """From below Request, for example Findings or Patient/Address; list elements without their position."""
    operation: str | None = None
    """Only of this operation; of all when absent."""
    length: int = Field(ge=1)
    unit: Literal["characters", "bytes"] = "characters"
    above: Literal["refuse", "url"] = "refuse"
    """What becomes of a message with more: it is refused, or the field holds an address instead."""
    url: str | None = None
    """That address, with numbers of the message: https://pacs.example.org/report/{ReportNo}."""

    @model_validator(mode="after")
    def _address_where_one_is_sent(self) -> FieldLimit:
        if (self.above == "url") != (self.url is not None):
            raise ValueError('url belongs to above = "url", and that needs it')
        return self


class Success(Strict):
    """How an answer is told to be a yes, a no, or "not now". What fits none is unclear, and never a yes."""

    at: Literal["payload", "code", "text", "reply"] = "payload"
    """Where `xpath` looks: in what the string holds, at the code or text the style itself returns, in the SOAP body."""
    xpath: Xpath = "string(/*)"
    accepted: tuple[str, ...] = ("0",)
    """Compared without regard to case and white space around it."""
    refused: tuple[str, ...] = ()
    """\"*\" stands for every other value that is not empty."""
    retry: tuple[str, ...] = ()
    message: Xpath | None = None
    """XPath of the partner's words, in the same place."""

    @model_validator(mode="after")
    def _says_what_is_a_yes(self) -> Success:
        if not self.accepted or not all(word.strip() for word in self.accepted):
            raise ValueError("accepted must name a value, and an empty answer is no yes")
        lists = [{word.strip().casefold() for word in words} for words in (self.accepted, self.refused, self.retry)]
        if sum(map(len, lists)) > len(set().union(*lists)):
            raise ValueError("a value stands in two of accepted, refused and retry")
        return self


class MappedOperation(Strict):
    """How one operation of ours is carried out by a partner with a contract of its own."""

    operation: str | None = None
    """Its name in the partner's WSDL; in a string style it may be left out, when the style or the WSDL has only one."""
    function: str = ""
    """In a string style what it is called inside (serverName, action, FuncCode, Fid); of a hook the path below url."""
    request: FileName
    """The stylesheet from our request to theirs."""
    response: FileName | None = None
    """The stylesheet from their answer to ours; without it only yes and no are told."""
    success: Success | None = None
    """When its answer is a yes, where that differs from the partner's other operations."""
    fixed: dict[str, str] = {}
    """Further parameters of the partner's operation that are always the same."""


class Partner(Strict):
    """One partner: partners/<name>/partner.toml."""

    name: Identifier
    folder: Path = Field(default=Path("."), exclude=True)
    """Where its files are; the paths of other keys begin there."""
    files: str = ""
    """A digest of its WSDL and stylesheets, by which nodes tell that they have the same."""
    dialect: Literal[
        "canonical",
        "insurance",
        "typed",
        "call-interface",
        "hip-message-server",
        "tech-service",
        "call",
        "single",
        "esb-entry",
        "hl7-string",
        "hl7-mllp",
        "database",
        "hook",
    ] = "canonical"
    url: AnyUrl
    """http or https; of dialect "hl7-mllp" mllp://host:port or mllps://host:port; of "database" where that is."""
    soap_version: Literal["1.1", "1.2"] = "1.1"
    client: Identifier | None = None
    """The client name under which this system calls the gateway; the partner's own name when absent."""
    our_code: Identifier = "GATEWAY"
    """The SenderCode of the gateway at this partner."""
    username: str | None = None
    password: SecretStr | None = None
    tls: Tls = Tls()
    auth: Auth = Auth()
    connect_seconds: float = Field(default=3, gt=0, le=60)
    total_seconds: float = Field(default=20, gt=0, le=300)
    concurrency: int = Field(default=4, ge=1, le=64)
    critical_concurrency: int = Field(default=2, ge=1, le=16)
    rate_per_second: float = Field(default=100, gt=0)
    max_attempts: int = Field(default=12, ge=1)
    registration_charges: bool = False
    """Of a HIS: true when it charges by itself on a forwarded REGISTER; the gateway then sends no ChargeItem."""
    maintenance: tuple[str, ...] = ()
    """When it is in maintenance, in hospital time: "02:00-03:30", "Sun 01:00-05:00"."""
    fields: tuple[FieldLimit, ...] = ()
    wsdl: FileName | None = None
    """Its WSDL: a copy in its folder, with all it imports."""
    service: str | None = None
    port: str | None = None
    """Which of several services and ports of the WSDL; the first of the SOAP version when absent."""
    payload: Literal["xml", "hl7", "json", "text", "form"] = "xml"
    """What the strings of a string style hold, or the body of a hook; "form" is for hooks alone."""
    charset: Literal["utf-8", "gb18030", "gbk", "gb2312"] = "utf-8"
    """In which the inner XML is written, and the envelope around it."""
    declaration: bool = False
    """Whether the inner XML begins with an XML declaration that names this charset."""
    parameters: dict[str, str] = {}
    """What the style's parameters are called in the partner's WSDL, where not as usual: {payload = "XMLParameter"}."""
    repeats_are_safe: bool = False
    """Whether the partner promises that a message sent twice under one number is carried out once."""
    success: Success = Success()
    """When an answer of any operation is a yes, unless that operation has a rule of its own."""
    operations: dict[str, MappedOperation] = {}
    """Operation of ours -> how the partner carries it out; SubmitRequisition.CANCEL: that action of it otherwise."""
    insurance: InsurancePlatform | None = None
    """Of an insurance platform, and of no other."""
    hook: Hook = Hook()
    """Of a partner of dialect "hook", and of no other."""
    database: DatabaseAccess | None = None
    """Of a partner of dialect "database", and of no other."""
    polls: tuple[Poll, ...] = ()
    """Its tables and views that are read again and again."""

    @model_validator(mode="after")
    def _database_has_its_tables(self) -> Partner:
        if self.dialect != DATABASE and (self.database is not None or self.polls):
            raise ValueError('[database] and [[polls]] belong to dialect = "database"')
        names = [poll.name for poll in self.polls]
        if len(set(names)) < len(names):
            raise ValueError("two [[polls]] have the same name")
        return self

    @field_validator("url")
    @classmethod
    def _address_of_its_kind(cls, value: AnyUrl, info: ValidationInfo) -> AnyUrl:
        if info.data.get("dialect") == HL7_MLLP:
            if value.scheme not in ("mllp", "mllps") or not value.host or not value.port:
                raise PydanticCustomError("url", "An address of HL7 is mllp://host:port or mllps://host:port")
        elif info.data.get("dialect") == DATABASE:
            if value.scheme.partition("+")[0] not in KINDS:
                raise PydanticCustomError("url", f"The address of a database begins with {', '.join(KINDS)}")
            if value.username or value.password:
                raise PydanticCustomError("url", "User and password stand in username and password_file")
        elif value.scheme not in ("http", "https") or not value.host:
            raise PydanticCustomError("url", "URL scheme should be 'http' or 'https'")
        return value

    @model_validator(mode="after")
    def _insurance_has_its_table(self) -> Partner:
        if (self.dialect == INSURANCE_INTERFACE) != (self.insurance is not None):
            raise ValueError('the table [insurance] belongs to dialect = "insurance", and that needs it')
        if self.insurance and self.insurance.signature != "none" and self.insurance.secret is None:
            raise ValueError("a signature needs insurance.secret_file")
        return self

    @model_validator(mode="after")
    def _credentials_are_there(self) -> Partner:
        refuse_impossible(self.auth, self.tls, self.username, self.password)
        needs_envelope = self.auth.kind not in ("none", "basic") or self.auth.soap_header is not None
        if self.insurance is not None and needs_envelope:
            raise ValueError("an insurance platform gets no SOAP: auth.kind is basic or none, with http_headers")
        if self.dialect == HOOK and needs_envelope:
            raise ValueError("a hook gets no SOAP: auth.kind is basic or none, with http_headers")
        return self

    @model_validator(mode="after")
    def _hook_is_one(self) -> Partner:
        if self.dialect != HOOK:
            if self.hook != Hook() or self.payload == "form":
                raise ValueError('[hook] and payload = "form" belong to dialect = "hook"')
            return self
        if self.payload == "hl7":
            raise ValueError('a hook is sent payload = "json", "xml", "form" or "text"')
        if self.wsdl is not None:
            raise ValueError("a hook has no wsdl: leave it out")
        for name, operation in self.operations.items():
            _refuse_no_path(name, operation.function)
            _refuse_other_places(operation.success or self.success)
        return self

    @field_validator("maintenance")
    @classmethod
    def _maintenance_has_an_end(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        refuse_endless(MaintenanceHours.parse(word) for word in value)
        return value

    @model_validator(mode="after")
    def _mapped_has_its_files(self) -> Partner:
        if self.is_mapped and self.wsdl is None:
            raise ValueError(f'dialect = "{self.dialect}" needs wsdl, the partner\'s own in its folder')
        if self.operations and self.dialect not in (*MAPPED, *WITHOUT_WSDL):
            raise ValueError(f"[operations] belongs to the dialects {', '.join((*MAPPED, *WITHOUT_WSDL))}")
        return self

    @property
    def is_mapped(self) -> bool:
        """Whether it has a contract of its own."""
        return self.dialect in MAPPED

    @property
    def client_name(self) -> str:
        """The client name under which this partner calls the gateway."""
        return self.client or self.name

    @property
    def maintenance_hours(self) -> tuple[MaintenanceHours, ...]:
        """`maintenance`, understood."""
        return tuple(MaintenanceHours.parse(word) for word in self.maintenance)

    def path(self, name: str) -> Path:
        """Where a file of its folder is."""
        return self.folder / name


def _refuse_no_path(operation: str, function: str) -> None:
    path, _, query = function.partition("?")
    if not function.isprintable() or "#" in function or "\\" in function or ".." in path.split("/") or "//" in path:
        raise ValueError(f"operations.{operation}.function is a path below url, such as queue/status")
    if not query.isascii() or " " in query:
        raise ValueError(f"operations.{operation}.function: what follows ? is written as in an address")


def _refuse_other_places(success: Success) -> None:
    """A hook has an HTTP status, which is its code, and what its body holds; a yes comes with no other status."""
    if success.at not in ("payload", "code"):
        raise ValueError('success.at of a hook is "payload" or "code", which is the HTTP status')
    if success.at == "code" and not all(word.isdecimal() and 200 <= int(word) < 300 for word in success.accepted):
        raise ValueError('success.at = "code" of a hook needs accepted = ["200"], HTTP statuses from 200 to 299')
