"""`gateway partner check`: whether a partner's files compile, and what our messages become by them."""

from __future__ import annotations

import copy
import re
import secrets
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from lxml import etree

from gateway.cli.terminal import HERE, WRONG, Failure, Folder, is_wanted, note, one_line, say, show_xml
from gateway.config import ConfigurationError, Settings, load_settings
from gateway.contract import Contract
from gateway.errors import InvalidMessage
from gateway.mapping import payload
from gateway.mapping.codes import Unmapped
from gateway.mapping.errors import MappingFailed, NotWanted, PayloadUnreadable, StylesheetBroken
from gateway.messages.wire import Wire
from gateway.operations.dispatch import Origin, Outcome, PartnerAnswer
from gateway.partner_config import HOOK, OUR_CONTRACT, WITHOUT_WSDL, Partner
from gateway.partners.addressing import Stamp
from gateway.partners.client import Reply
from gateway.partners.failures import UnusableReply
from gateway.partners.hook import Hook
from gateway.partners.mapped import Mapped, Surroundings
from gateway.partners.registry import DIALECTS
from gateway.partners.reply import answer_or_fault
from gateway.partners.samples import sample_of
from gateway.partners.wsdl.copying import copy_wsdl
from gateway.partners.wsdl.describing import Port, describe
from gateway.partners.wsdl.errors import WsdlError
from gateway.partners.wsdl.loading import load
from gateway.partners.wsdl.validating import NotCheckable, mistakes, schema_of

MOST_MISTAKES = 20
QUERIES = ("QueryTransaction", "QueryRequisition")
WRONG_FILES = (StylesheetBroken, MappingFailed, PayloadUnreadable, InvalidMessage, WsdlError)


def add_to(group: typer.Typer) -> None:
    group.command("check")(check)


def check(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The partner, as its folder is named.")],
    only: Annotated[
        list[str] | None, typer.Option("--operation", metavar="OPERATION", help="Only this one; may be repeated.")
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Really call it: queries only, unless an --operation is named.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --live: send what is no query without asking.")] = False,
    folder: Folder = HERE,
) -> None:
    """Compile a partner's files, map our samples by them and show what it would get; exit code 1 if anything is wrong.

    Nothing is sent, unless with --live. The messages are the samples of our contract, of patients that do not exist.
    """
    settings = load_settings(folder)
    partner = settings.partner(name)
    checked = Checked(settings, partner, tuple(only or ()))
    if partner.is_mapped or partner.dialect in WITHOUT_WSDL:
        checked.files()
    elif partner.dialect != OUR_CONTRACT:
        raise Failure(
            f"{name} is spoken to by its own interface, without WSDL: try `gateway partner ping {name}`.", WRONG
        )
    else:
        say(f"✓ {name} serves our own contract: nothing is mapped")
    if live and not checked.wrong:
        checked.call(yes)
    if checked.wrong:
        raise Failure(f"{checked.wrong} of the above must be put right.")


def broken_files(settings: Settings, partner: Partner) -> Iterator[str]:
    """What is wrong with the files of a partner that has a contract of its own, one line each."""
    dialect = Hook if partner.dialect == HOOK else Mapped
    around = surroundings(settings, Codes())
    mapped = dialect(partner, around)
    for operation in partner.operations:
        try:
            sample_of(partner, operation, around.contract, around.wire)
            mapped.operation_of(mapped.mapping(*operation.split(".", 1)))
        except WRONG_FILES as problem:
            yield f"Partner {partner.name}, {operation}: {problem}"


@dataclass
class Codes:
    """Passes every code as it is, and remembers which tables were asked."""

    asked: set[str] = field(default_factory=set)

    def translate(self, table: str, value: str, *, partner: str, hospital_code: str, outbound: bool, on: date) -> str:
        self.asked.add(table)
        return value


def surroundings(settings: Settings, codes: Codes) -> Surroundings:
    """What a dialect is given, without a database."""
    contract = Contract()
    return Surroundings(contract, Wire(contract, settings.zone), lambda: datetime.now(settings.zone), codes)


class Checked:
    """One partner, looked at step by step; each step says what it found."""

    def __init__(self, settings: Settings, partner: Partner, only: tuple[str, ...]) -> None:
        self._settings, self._partner, self._only = settings, partner, only
        self._codes = Codes()
        self._around = surroundings(settings, self._codes)
        self._dialect = DIALECTS[partner.dialect](partner, self._around)
        self.wrong = 0
        unknown = [one for one in only if one not in {known.name for known in self._around.contract.operations}]
        if unknown:
            raise Failure(f"Our contract has no operation {unknown[0]}.", WRONG)

    # --- Files --------------------------------------------------------------------------------------------------------

    def files(self) -> None:
        """The WSDL, every mapping with our sample, and the answers that lie in samples/."""
        port, schema = (self._wsdl(), self._schema()) if self._partner.wsdl else (None, None)
        self._routes()
        for operation in self._chosen():
            self._operation(operation, port, schema)
        if self._codes.asked:
            tables = ", ".join(sorted(self._codes.asked))
            note(f"Code tables that were asked: {tables}; here every code is passed as it is.")

    def _chosen(self) -> tuple[str, ...]:
        keys = tuple(self._partner.operations)
        for one in self._only:
            if not any(_plain(key) == one for key in keys):
                self._no(f"partner.toml has no [operations.{one}]")
        return tuple(key for key in keys if not self._only or _plain(key) in self._only)

    def _wsdl(self) -> Port | None:
        partner = self._partner
        try:
            ports = describe(load(partner.path(str(partner.wsdl))))
        except WsdlError as problem:
            self._no(str(problem))
            return None
        for port in ports:
            wanted = partner.service in (None, port.service) and partner.port in (None, port.name)
            if wanted and port.soap_version == partner.soap_version:
                count = len(port.operations)
                say(f"✓ {partner.wsdl}: port {port.name} of SOAP {port.soap_version}, {count} operations")
                return port
        known = ", ".join(f"{port.service}/{port.name} (SOAP {port.soap_version})" for port in ports)
        wanted_port = f"port {partner.port}" if partner.port else "port"
        self._no(f"{partner.wsdl} has no {wanted_port} of SOAP {partner.soap_version}; it has {known}")
        return None

    def _schema(self) -> etree.XMLSchema | None:
        try:
            return schema_of(self._partner.path(str(self._partner.wsdl)))
        except (NotCheckable, WsdlError, OSError) as problem:
            note(f"The partner's schema cannot be used for checking: {problem}")
            return None

    def _routes(self) -> None:
        name, mapped = self._partner.name, {_plain(key) for key in self._partner.operations}
        routed = {route.operation for route in self._settings.routes if name in route.partners}
        for operation in sorted(routed - mapped):
            self._no(f"gateway.toml routes {operation} to {name}, but its partner.toml has no [operations.{operation}]")
        if rest := sorted(mapped - routed - set(QUERIES)):
            note(f"No route of gateway.toml leads to {name} with {', '.join(rest)}.")

    def _operation(self, operation: str, port: Port | None, schema: etree.XMLSchema | None) -> None:
        settings = self._partner.operations[operation]
        made = self._tried(operation, lambda mapped, request, stamp: mapped.rehearse(_plain(operation), request, stamp))
        if made is None:
            return
        theirs, envelope = made
        say(f"✓ {operation}: {settings.request} makes a request of {theirs}")
        if isinstance(envelope, str):
            show_lines(envelope)
            if not isinstance(self._dialect, Hook):
                return
        else:
            show_message(envelope)
            body = envelope[-1]
            described = port.operation(theirs) if port is not None else None
            if schema is not None and len(body) and described is not None and described.style == "document":
                self._validate(operation, schema, body[0])
        own = re.compile(rf"{re.escape(operation)}(\.\d+)?\.reply\.(xml|json|txt)")  # and none of another action
        for path in sorted(self._partner.path("samples").glob("*.reply.*")):
            if own.fullmatch(path.name):
                self._reply(operation, path)

    def _tried(self, operation: str, attempt: Callable[[Any, Any, Stamp], Any]) -> Any:
        """What came of it, or None after what was wrong has been said."""
        try:
            return attempt(self._dialect, self._sample(operation), self._stamp())
        except NotWanted as reason:
            say(f"✓ {operation}: its stylesheet keeps our sample back: {reason}")
        except UnusableReply as problem:
            self._no(
                f"{operation}: the answer is {problem.code}: {problem.detail or 'it is no answer to this request'}"
            )
        except (*WRONG_FILES, Unmapped, ValueError) as problem:
            self._no(f"{operation}: {one_line(str(problem))}")
        return None

    def _sample(self, key: str) -> Any:
        """The sample in the partner's folder, or else our own, with the action of `ReportStatus.REGISTER`."""
        action = key.partition(".")[2]
        request = sample_of(self._partner, key, self._around.contract, self._around.wire)
        name = next((one for one in ("action", "event", "ack_type") if getattr(request, one, None)), None)
        if not action or name is None:
            return request
        return replace(request, **{name: type(getattr(request, name))(action)})

    def _stamp(self) -> Stamp:
        origin = Origin("CHECK", self._settings.hospital_code, "", self._partner.our_code, "CHECK")
        return Stamp(f"CHECK-{secrets.token_hex(6).upper()}", origin)

    def _validate(self, operation: str, schema: etree.XMLSchema, element: etree._Element) -> None:
        found = mistakes(schema, element)
        if not found:
            say(f"✓ {operation}: it fits the partner's schema")
        elif "No matching global declaration" in found[0]:
            note(f"{operation}: the partner's schema says nothing about <{etree.QName(element).localname}>.")
        else:
            for text in found[:MOST_MISTAKES]:
                self._no(f"{operation}: {one_line(text)}")

    def _reply(self, operation: str, path: Path) -> None:
        """What an answer of the partner's that was kept in its folder would mean."""

        def understood(mapped: Mapped, request: Any, stamp: Stamp) -> PartnerAnswer:
            if isinstance(mapped, Hook):
                return mapped.understand_reply(_plain(operation), request, stamp, _kept(path))
            child = answer_or_fault(Reply(200, "text/xml", _enveloped(path)))
            return (
                child
                if isinstance(child, PartnerAnswer)
                else mapped.understand(_plain(operation), request, stamp, child)
            )

        answer = self._tried(operation, understood)
        if answer is not None:
            meaning = "yes" if answer.is_yes else f"{_no_or_later(answer)} ({answer.code} {answer.text})"
            say(f"✓ {operation}: {path.name} means {meaning}")
            self._show_response(operation, answer)

    def _show_response(self, operation: str, answer: PartnerAnswer) -> None:
        if answer.response is not None:
            written = self._around.wire.write(answer.response)
            show_xml(etree.fromstring(f"<Response>{written}</Response>"))

    def _no(self, text: str) -> None:
        self.wrong += 1
        say(f"✗ {text}")

    # --- The partner itself -------------------------------------------------------------------------------------------

    def _compare(self) -> bool:
        """Tell whether the partner's WSDL is still the one that was copied; False when it could not be seen."""
        partner = self._partner
        if not partner.is_mapped or partner.wsdl is None:
            return False
        login = (
            (partner.username, partner.password.get_secret_value()) if partner.username and partner.password else None
        )
        with tempfile.TemporaryDirectory() as folder:
            try:
                source = str(partner.url).partition("?")[0] + "?wsdl"
                now = _forms(load(copy_wsdl(source, Path(folder), login=login).wsdl))
                before = _forms(load(partner.path(partner.wsdl)))
            except WsdlError as problem:
                note(f"Its WSDL of today cannot be compared: {problem}")
                return False
        changed = [name for name in before if now.get(name) != before[name]]
        used = {one.operation for one in partner.operations.values()}
        for name in changed:
            text = f"{name} of {partner.name} has changed since its WSDL was copied: it " + (
                f"takes {now[name]}, not {before[name]}" if name in now else "is gone"
            )
            if name in used or not any(used):
                self._no(text)
            else:
                note(text)
        if not changed:
            say(f"✓ {partner.name}: its WSDL is as it was copied")
        return True

    def call(self, yes: bool) -> None:
        """Really call it with our samples: queries, or what was named."""
        partner = self._partner
        known = [_plain(key) for key in partner.operations] if isinstance(self._dialect, Mapped) else QUERIES[:1]
        operations = self._only or tuple(one for one in known if one in QUERIES)
        seen = self._compare()
        if not operations:
            told = (
                f"{partner.name} has no query among its operations, so nothing was sent. `--operation NAME` sends the "
                f"sample of that one, which is really carried out there; `gateway accept {partner.name}` tries all."
            )
            if not seen:
                raise Failure(told, WRONG)
            note(told)
        writing = [one for one in operations if one not in QUERIES and one != "GetMedicalRecord"]
        if writing and not is_wanted(yes, f"Really send the sample of {', '.join(writing)} to {partner.name}?"):
            raise Failure("Nothing was sent.", WRONG)
        for operation in operations:
            answer = self._dialect.call(operation, self._sample(operation), self._stamp(), partner.total_seconds)
            told = f"{answer.outcome}, {answer.code} {one_line(answer.text or answer.detail or '')}".rstrip()
            if answer.outcome is Outcome.ANSWERED:
                say(f"✓ {operation} at {partner.name}: {told}")
                self._show_response(operation, answer)
            else:
                self._no(f"{operation} at {partner.name}: {told}")


def _forms(document: Any) -> dict[str, str]:
    """What each operation takes, in words."""
    return {
        operation.name: ", ".join(
            f"{field.name}: {field.type}" for parameter in operation.parameters for _, field in parameter.walk()
        )
        or "nothing"
        for port in describe(document)
        for operation in port.operations
    }


def _plain(key: str) -> str:
    """The operation of a key: ReportStatus of ReportStatus.REGISTER."""
    return key.partition(".")[0]


def _no_or_later(answer: PartnerAnswer) -> str:
    return "not now" if answer.response is not None and answer.response.result.retryable else "no"


def show_message(envelope: etree._Element) -> None:
    """An envelope, and what stands inside its strings by itself, so that it can be read."""
    outer, inner = copy.deepcopy(envelope), []
    for element in outer.iter("*"):
        text = (element.text or "").strip()
        shown = _inside(text) if not len(element) else None
        if shown is not None:
            name = etree.QName(element).localname
            inner.append((name, shown))
            element.text = f"... {len(text):,} characters, shown below ..."
    show_xml(outer)
    for name, shown in inner:
        say(f"{name}:")
        if isinstance(shown, str):
            show_lines(shown)
        else:
            show_xml(shown)


def show_lines(text: str) -> None:
    """A message of HL7, a segment on each line; the body of a hook."""
    for line in text.splitlines():
        say(line, indent=len(line) - len(line.lstrip(" ")))


def _inside(text: str) -> etree._Element | str | None:
    """The message inside a string: XML as its element, HL7 as its lines; None for anything else."""
    if text.startswith("MSH|"):
        return text.replace("\r", "\n")
    if not text.startswith("<"):
        return None
    try:
        return payload.read_xml(text)
    except PayloadUnreadable:
        return None


def _kept(path: Path) -> Reply:
    """A kept answer of a hook; ReportStatus.422.reply.json came with HTTP 422, one without a number with 200."""
    number = path.name.removesuffix(f".reply{path.suffix}").rpartition(".")[2]
    is_status = number.isdecimal() and int(number) >= 100
    return Reply(int(number) if is_status else 200, "", _content_of(path))


def _content_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise ConfigurationError(f"{path} cannot be read: {problem.strerror}.") from None


def _enveloped(path: Path) -> bytes:
    """A kept answer as it comes: an envelope, or only what stands in its body."""
    content = _content_of(path)
    if b"Envelope" in content[:2000]:
        return content
    try:
        element = etree.fromstring(content, etree.XMLParser(no_network=True, resolve_entities=False, load_dtd=False))
    except etree.XMLSyntaxError as problem:
        raise MappingFailed(f"{path.name} is no well-formed XML, line {problem.lineno}.") from None
    soap = "http://schemas.xmlsoap.org/soap/envelope/"
    envelope = etree.Element(f"{{{soap}}}Envelope", nsmap={"soap": soap})
    etree.SubElement(envelope, f"{{{soap}}}Body").append(element)
    return bytes(etree.tostring(envelope, encoding="utf-8"))
