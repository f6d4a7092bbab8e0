"""The site's settings: gateway.toml, partner.toml, facade.toml and the environment, checked once at the start.

Every key of gateway.toml can be given as GATEWAY_<KEY>, with two underscores between a table and its key
(GATEWAY_SERVER__PORT); a secret may be put into a file that GATEWAY_<KEY>_FILE names. A bad value stops the start and
the error names the key. The keys are described in docs/configuration.md.
"""

from __future__ import annotations

import os
import re
import socket
import tomllib
from datetime import date, time, timedelta, timezone
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    HttpUrl,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from gateway.critical_rules import CriticalRules, SmtpNotifier, WebhookNotifier
from gateway.facade_config import Facade
from gateway.file_secret import FileSecret
from gateway.hl7_config import Hl7Port
from gateway.partner_config import Partner
from gateway.strict import Identifier, Strict
from gateway.terms import RequisitionType, VisitType

MAPPING_FILES = frozenset({".wsdl", ".xsd", ".xsl", ".xslt"})
INSURANCE = "Insurance"
"""What routes call everything that goes to an insurance platform."""


class ConfigurationError(Exception):
    """A setting is missing or wrong; the text names the file or variable, the key and what is expected, in one line."""


class Server(Strict):
    """The web server that partners call."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    workers: int = Field(default=2, ge=1, le=64)
    threads: int = Field(default=64, ge=4, le=512)
    drain_seconds: float = Field(default=0, ge=0, le=300)
    """How long /readyz says "draining" before the end, so that a balancer in front sends nobody any more."""
    request_seconds: float = Field(default=30, gt=0, le=300)
    """For a whole request to arrive."""
    head_seconds: float = Field(default=10, gt=0, le=60)
    """For its HTTP head to arrive."""


class Limits(Strict):
    """How large a message may be (docs/specification/contract.md, "Size")."""

    body_bytes: int = Field(default=2 * 1024 * 1024, ge=65536)
    report_bytes: int = Field(default=20 * 1024 * 1024, ge=65536)
    sync_seconds: float = Field(default=8, gt=0, le=60)
    """For everything a caller waits for: connecting to partners and all their answers."""
    key_image_bytes: int = Field(default=1024 * 1024, ge=1024)
    record_bytes: int = Field(default=10 * 1024 * 1024, ge=65536)
    """The largest answer of GetMedicalRecord; more is read page by page."""


class ChargePointRule(Strict):
    """When the items of a department are charged, for one kind of visit; the first rule that fits is taken."""

    hospital_code: str | None = None
    perform_dept: str | None = None
    visit_type: VisitType | None = None
    effective_from: date | None = None
    charge_point: Literal["NURSE_SEND", "REGISTER", "NONE"]


class RecordRules(Strict):
    """Who may read a record (docs/specification/records.md); what a single client may is set by commands."""

    relation_days: int = Field(default=30, ge=0, le=3650)
    """How long after a visit has ended its departments still treat the patient."""
    emergencies_per_day: int = Field(default=20, ge=0)
    """How often a client may open a record by EmergencyReason alone."""
    secret_sections: tuple[str, ...] = ("HIV", "PSYCH", "STD", "GENETIC")
    """Sections that are shown to no client unless granted by name."""


class InsuranceRules(Strict):
    """Whose charges are registered with the insurance platform (docs/specification/insurance.md)."""

    fee_types: tuple[str, ...] = ()
    """The FeeTypes of insured visits; while none is given, a visit with an InsuranceNo is insured."""
    his_uploads_its_own: bool = False
    """Whether HIS itself uploads what it charged by itself; the gateway then only what it had HIS book."""


class Rules(Strict):
    """The hospital's choices among the rules."""

    unpaid: Literal["hold", "refuse"] = "hold"
    """What becomes of a requisition without ReleaseEvent: kept as HELD, or answered REQ-402."""
    identity: Literal["warn", "strict"] = "warn"
    """What becomes of a requisition whose identity card does not fit its patient: a Warning, or REQ-424."""
    charge_points: tuple[ChargePointRule, ...] = ()
    critical: CriticalRules = CriticalRules()
    fallback_receiver: str = "DUTY"
    """Who is told of a critical value without a known recipient."""
    parked_minutes: float = Field(default=10, gt=0)
    """How long a message about something unknown waits for it."""
    parked_acknowledgement_hours: float = Field(default=24, gt=0)
    """How long the acknowledgement of an unknown critical value waits for its push."""
    refund_last_line: bool = True
    """Whether a department may give back the last line of what it charged."""
    registration_asks_his: bool = False
    """Whether REGISTER and CANCEL_REG also need a yes from HIS."""
    records: RecordRules = RecordRules()
    insurance: InsuranceRules = InsuranceRules()


class Reconciliation(Strict):
    """How the books are compared (docs/specification/reconciliation.md)."""

    tolerance_seconds: int = Field(default=300, ge=0, le=7200)
    """How far apart two sides may book the same around midnight."""
    not_performed_days: int = Field(default=7, ge=1, le=365)
    """After how many days a charge without exam is a difference."""
    open_minutes: int = Field(default=5, ge=1, le=1440)
    """After how long something unfinished is an open item."""
    nightly: time | None = None
    """When yesterday is compared with HIS and the insurers by itself; never when absent."""
    his: Identifier | None = None
    """The partner whose books are asked for; the one that gets ChargeItem when absent."""
    columns: dict[str, tuple[str, ...]] = {}
    """Further headings of a list's columns."""
    states: dict[str, Literal["BOOKED", "PENDING", "CANCELLED"]] = {}
    """Further words for the state of a booking."""
    departments: dict[str, str] = {}
    """Department codes of the other side -> ours."""
    senders: dict[str, str] = {}
    """Codes the other side has for the systems that charge -> ours."""


class Storage(Strict):
    """How long messages are kept, and how much room they need (docs/specification/storage.md)."""

    journal_months: int | None = Field(default=None, ge=1, le=600)
    """How many whole months of received messages are kept beside the present one; for ever when absent."""
    delivery_months: int | None = Field(default=None, ge=1, le=600)
    """The same of deliveries to partners that have ended."""
    key_months: int | None = Field(default=None, ge=3, le=600)
    """The same of the keys by which a repetition is recognised, and of parked messages that have ended."""
    prune_at: time = time(3, 30)
    """When what is older is let go every day, in hospital time."""
    free_megabytes: int = Field(default=512, ge=0)
    """With less room on a disk of the gateway no new work is taken; 0: not looked at."""
    database_megabytes: int | None = Field(default=None, ge=1)
    """How large the database may become before no new work is taken; without limit when absent."""


class Route(Strict):
    """One line of the routing table: which partners must have an operation's messages."""

    operation: str
    hospital_code: str | None = None
    requisition_type: RequisitionType | None = None
    perform_dept: str | None = None
    partners: tuple[Identifier, ...] = Field(min_length=1)


class _FileSecrets(PydanticBaseSettingsSource):
    """Reads GATEWAY_<KEY>_FILE: the value of a key from a file, for passwords and keys."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        path = os.environ.get(f"GATEWAY_{field_name.upper()}_FILE")
        if not path:
            return None, field_name, False
        try:
            return Path(path).read_text(encoding="utf-8").strip(), field_name, False
        except OSError as problem:
            raise ConfigurationError(
                f"GATEWAY_{field_name.upper()}_FILE names {path}, which cannot be read: {problem.strerror}."
            ) from None

    def __call__(self) -> dict[str, Any]:
        found = {name: self.get_field_value(None, name)[0] for name in ("database_url",)}
        return {name: value for name, value in found.items() if value is not None}


class Settings(BaseSettings):
    """Everything a site can choose; frozen, read once."""

    model_config = SettingsConfigDict(env_prefix="GATEWAY_", env_nested_delimiter="__", extra="forbid", frozen=True)

    folder: Path
    """The site's folder: gateway.toml, partners/, keys and the embedded database."""
    node: Identifier | None = None
    """What this machine is called among several nodes; the name of the computer when absent."""
    public_url: HttpUrl | None = None
    """The address partners reach, as the WSDL shows it; http://host:port of the server when absent."""
    hospital_code: Annotated[str, Field(pattern=r"^[!-~]{1,22}$")]
    """The hospital this gateway belongs to; a critical value without HospitalCode is taken as its own."""
    other_hospital_codes: tuple[str, ...] = ()
    """Further hospitals served; a message of any other hospital is refused."""
    utc_offset: Annotated[str, Field(pattern=r"^[+-](0\d|1[0-4]):[0-5]\d$")] = "+08:00"
    database_url: SecretStr | None = None
    """A PostgreSQL, 14 or newer; the embedded one in the site's folder when absent."""
    server: Server = Server()
    limits: Limits = Limits()
    rules: Rules = Rules()
    reconciliation: Reconciliation = Reconciliation()
    storage: Storage = Storage()
    delivery_workers: int = Field(default=1, ge=0, le=16)
    """Delivery processes that `gateway serve` starts."""
    routes: tuple[Route, ...] = ()
    notifiers: tuple[Annotated[WebhookNotifier | SmtpNotifier, Field(discriminator="kind")], ...] = ()
    hl7: tuple[Hl7Port, ...] = ()
    """Ports where HL7 comes in over MLLP (docs/hl7.md)."""
    partners: tuple[Partner, ...] = ()
    facades: tuple[Facade, ...] = ()

    @field_validator("database_url")
    @classmethod
    def _postgresql_only(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None or not value.get_secret_value():
            return None
        plain = value.get_secret_value()
        if not re.match(r"postgresql(\+psycopg)?://", plain):
            raise ValueError("must be postgresql://user:password@host/database")
        return SecretStr(re.sub(r"^postgresql://", "postgresql+psycopg://", plain))

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, _FileSecrets(settings_cls), init_settings

    @property
    def node_name(self) -> str:
        """What this node is called in lists."""
        return self.node or socket.gethostname()

    @property
    def zone(self) -> timezone:
        """Hospital time: a fixed offset (docs/specification/contract.md, "Values")."""
        hours, minutes = self.utc_offset[1:].split(":")
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        return timezone(-offset if self.utc_offset[0] == "-" else offset)

    @property
    def endpoint(self) -> str:
        """The SOAP address partners call, without a slash at its end."""
        base = str(self.public_url) if self.public_url else f"http://{self.server.host}:{self.server.port}"
        return base.rstrip("/").removesuffix("/soap") + "/soap"

    @property
    def hospital_codes(self) -> frozenset[str]:
        return frozenset({self.hospital_code, *self.other_hospital_codes})

    @property
    def key_file(self) -> Path:
        """The keys that encrypt digest secrets; made by `gateway init`."""
        return self.folder / "secret.key"

    @property
    def database_folder(self) -> Path:
        """Where the embedded PostgreSQL lives."""
        return self.folder / "database"

    def partner(self, name: str) -> Partner:
        """The partner of that name. Raises ConfigurationError when there is none."""
        for partner in self.partners:
            if partner.name == name:
                return partner
        known = ", ".join(p.name for p in self.partners) or "none"
        raise ConfigurationError(f"There is no partner {name}; known are: {known}.")


def load_settings(folder: Path) -> Settings:
    """The settings of the site in `folder`.

    Raises ConfigurationError in one line that names the key, when anything is missing, unknown or out of range.
    """
    main = folder / "gateway.toml"
    values = _read_toml(main)
    for key in ("folder", "partners", "facades"):
        if key in values:
            raise ConfigurationError(f"{main}: {key} is no key of this file: leave it out.")
    values["notifiers"] = [_with_secret(main, one) for one in values.get("notifiers", ())]
    values["partners"] = [_read_partner(path) for path in sorted(folder.glob("partners/*/partner.toml"))]
    values["facades"] = [read_facade(path) for path in sorted(folder.glob("facades/*/facade.toml"))]
    try:
        # GATEWAY_FOLDER says where to look when nobody else does; it never replaces the folder asked for.
        settings = Settings(folder=folder.resolve(), **values).model_copy(update={"folder": folder.resolve()})
    except ValidationError as problem:
        raise ConfigurationError(_one_line(main, problem)) from None
    except SettingsError as problem:
        variable = "GATEWAY_" + str(problem).partition('"')[2].partition('"')[0].upper()
        raise ConfigurationError(
            f"{variable}, or one whose name begins so, must be written as JSON: lists in brackets, text in quotes."
        ) from None
    _check_routes(settings)
    _check_chain(settings)
    _check_ports(settings)
    return settings


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ConfigurationError(
            f"{path} does not exist: make one with `gateway init --folder {path.parent}`."
        ) from None
    except UnicodeDecodeError as problem:
        line = problem.object[: problem.start].count(b"\n") + 1
        raise ConfigurationError(f"{path} is no text in UTF-8 (line {line}): save it as UTF-8, not ANSI.") from None
    except (OSError, tomllib.TOMLDecodeError) as problem:
        raise ConfigurationError(f"{path} cannot be read: {problem}.") from None


def _read_partner(path: Path) -> Partner:
    values = _read_toml(path)
    _read_secret(path, values, "password")
    for table, key in (("insurance", "secret"), ("hook", "secret"), ("tls", "key_password"), ("auth", "key_password")):
        if isinstance(values.get(table), dict):
            _read_secret(path, values[table], key)
    if isinstance(values.get("auth"), dict):
        _read_secrets(path, values["auth"])
    try:
        return Partner(name=path.parent.name, folder=path.parent.absolute(), files=_digest(path.parent), **values)
    except (ValidationError, TypeError) as problem:
        if isinstance(problem, TypeError):
            raise ConfigurationError(f"{path}: name, folder and files are no keys, leave them out.") from None
        raise ConfigurationError(_one_line(path, problem)) from None


def read_facade(path: Path, name: str | None = None) -> Facade:
    """The facade of a facade.toml, called as its folder is unless told otherwise. Raises ConfigurationError."""
    values = _read_toml(path)
    try:
        return Facade(
            name=name or path.parent.name, folder=path.parent.absolute(), files=_digest(path.parent), **values
        )
    except ValidationError as problem:
        raise ConfigurationError(_one_line(path, problem)) from None
    except TypeError:
        raise ConfigurationError(f"{path}: name, folder and files are no keys, leave them out.") from None


def _digest(folder: Path) -> str:
    """Of the files that decide how messages are mapped; empty when there are none."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in MAPPING_FILES and path.is_file())
    digest = sha256()
    for path in files:
        digest.update(f"{path.relative_to(folder)} {sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()[:16] if files else ""


def _read_secret(path: Path, values: dict[str, Any], key: str) -> None:
    """Put a secret in the place of the file that holds it: `<key>_file` beside partner.toml, or with a full path."""
    secret_file = values.pop(f"{key}_file", None)
    if secret_file is None:
        return
    try:
        values[key] = FileSecret(path.parent.absolute() / secret_file)
    except OSError as problem:
        raise ConfigurationError(
            f"{path}: {key}_file cannot be read: {path.parent / secret_file}: {problem.strerror}."
        ) from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path}: {key}_file is no text in UTF-8.") from None


def _read_secrets(path: Path, auth: dict[str, Any]) -> None:
    """[auth.secret_files] names a file for each secret."""
    files = auth.pop("secret_files", None)
    if not isinstance(files, dict):
        return
    if "secrets" in auth:
        raise ConfigurationError(f"{path}: auth.secrets is no key: write [auth.secret_files].")
    auth["secrets"] = {f"{name}_file": file for name, file in files.items()}
    for name in files:
        _read_secret(path, auth["secrets"], name)


def _one_line(path: Path, problem: ValidationError) -> str:
    """The first thing wrong, without the value: it may be a password. A misspelt key explains one that is missing."""
    found = problem.errors(include_input=False, include_url=False, include_context=False)
    first = min(found, key=lambda one: one["type"] != "extra_forbidden")
    key = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in first["loc"]).removeprefix(".")
    told = WORDS.get(first["type"]) or first["msg"].removeprefix("Value error, ")
    more = f" ({problem.error_count() - 1} more)" if problem.error_count() > 1 else ""
    variable = "GATEWAY_" + key.replace(".", "__").upper()
    source = f"The environment variable {variable}" if variable in os.environ else f"{path}: {key}"
    return f"{source}: {told}{more}."


WORDS = {
    "extra_forbidden": "there is no such key: it may be misspelt, or belong to another table",
    "missing": "it is missing",
}
"""What pydantic says in words of programmers."""


def _check_routes(settings: Settings) -> None:
    dialects = {partner.name: partner.dialect for partner in settings.partners}
    for number, route in enumerate(settings.routes, 1):
        place = f"{settings.folder / 'gateway.toml'}: routes[{number}]"
        for name in route.partners:
            if name not in dialects:
                raise ConfigurationError(
                    f"{place} names the partner {name}, "
                    f"but {settings.folder / 'partners' / name / 'partner.toml'} does not exist."
                )
            if (route.operation == INSURANCE) != (dialects[name] == "insurance"):
                raise ConfigurationError(
                    f"{place}: partners of dialect insurance, and only those, stand in routes of {INSURANCE}; "
                    f"{name} is {dialects[name]} and the route is of {route.operation}."
                )


def _with_secret(main: Path, notifier: dict[str, Any]) -> dict[str, Any]:
    """The channel with what its secret_file holds, a path beside gateway.toml."""
    values = dict(notifier)
    secret_file = values.pop("secret_file", None)
    if secret_file is not None:
        try:
            values["secret"] = (main.parent / secret_file).read_text(encoding="utf-8").strip()
        except OSError as problem:
            raise ConfigurationError(f"{main}: notifiers: secret_file cannot be read: {problem.strerror}.") from None
    return values


def _check_chain(settings: Settings) -> None:
    main, names = settings.folder / "gateway.toml", [notifier.name for notifier in settings.notifiers]
    if len(set(names)) < len(names):
        raise ConfigurationError(f"{main}: two notifiers have the same name.")
    for number, line in enumerate(settings.rules.critical.chain, 1):
        for name in line.notifiers:
            if name not in names:
                raise ConfigurationError(
                    f"{main}: rules.critical.chain[{number}] names the notifier {name}, "
                    "but no [[notifiers]] has that name."
                )


def _check_ports(settings: Settings) -> None:
    main = settings.folder / "gateway.toml"
    for what, values in (
        ("name", [port.name for port in settings.hl7]),
        ("port", [(port.host, port.port) for port in settings.hl7]),
    ):
        if len(set(values)) < len(values):
            raise ConfigurationError(f"{main}: two [[hl7]] have the same {what}.")
    for port in settings.hl7:
        if port.hospital_code is not None and port.hospital_code not in settings.hospital_codes:
            raise ConfigurationError(f"{main}: hl7 {port.name}: hospital_code is none of the hospitals served.")
