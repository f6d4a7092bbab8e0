"""The dialects of partners with a contract of their own: typed operations, and all the string styles.

The way of a message: our request -> the operation's stylesheet -> the style's parameters, or the typed element -> zeep
by the partner's WSDL -> the reply -> what the style says -> the success rule -> the stylesheet of the answer -> our
response. All of it is configuration in the partner's folder (docs/partners.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from lxml import etree

from gateway.contract import Contract
from gateway.mapping import payload
from gateway.mapping.codes import CodeTables
from gateway.mapping.errors import MappingFailed, NotWanted, PayloadUnreadable, StylesheetBroken
from gateway.mapping.functions import Circumstances, under
from gateway.mapping.ours import as_source, from_result
from gateway.mapping.stylesheet import Stylesheet, located
from gateway.mapping.success import Answered, Meaning, SuccessRule, Verdict
from gateway.messages.common import Result
from gateway.messages.wire import Wire
from gateway.operations.dispatch import KEPT_BACK, MAPPING, Outcome, PartnerAnswer
from gateway.partner_config import MappedOperation, Partner
from gateway.partners import queried
from gateway.partners.addressing import Stamp, addressed
from gateway.partners.client import Reply
from gateway.partners.connection import exchange
from gateway.partners.failures import UnusableReply, told_as_answer
from gateway.partners.foreign import ForeignClient
from gateway.partners.reply import answer_or_fault
from gateway.soap.explain import normalise
from gateway.styles.style import PAYLOAD, Asked, Style, folded_name
from gateway.styles.table import STYLES

LONGEST_CODE = 10
QUERY = "QueryTransaction"
BOOKING = ("ChargeItem", "RefundItem")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every dialect is given beside its partner's settings."""

    contract: Contract
    wire: Wire
    now: Callable[[], datetime]
    codes: CodeTables


@dataclass(frozen=True, slots=True)
class CompiledMapping:
    """The compiled files of one operation."""

    settings: MappedOperation
    request: Stylesheet
    response: Stylesheet | None
    success: SuccessRule


class Mapped:
    """One partner; any number of threads may use it. Its files are read with the first message."""

    def __init__(self, partner: Partner, surroundings: Surroundings) -> None:
        self._partner = partner
        self._around = surroundings
        self._client = ForeignClient(partner)
        self._style: Style | None = STYLES.get(partner.dialect)
        self._mappings: dict[str, CompiledMapping] = {}

    def call(self, operation: str, request: Any, stamp: Stamp, seconds: float) -> PartnerAnswer:
        """Send one message and read its answer, within `seconds` from now; never raises."""
        with exchange(seconds, self._partner.connect_seconds) as way:
            try:
                mapping = self.mapping(operation, action_of(request))
                try:
                    made, known = self._made(operation, mapping, request, stamp)
                except NotWanted as reason:
                    return self._not_wanted(operation, stamp, str(reason))
                answered = self._exchanged(mapping, made, stamp)
                if isinstance(answered, PartnerAnswer):
                    return answered
                with under(replace(known, outbound=False)):  # the answer holds codes of theirs
                    return self._answer(operation, mapping, stamp, answered)
            except Exception as problem:
                return told_as_answer(problem, way)

    def rehearse(self, operation: str, request: Any, stamp: Stamp) -> tuple[str, etree._Element | str]:
        """The partner's operation and the envelope it would be sent. Raises whatever is wrong with the mapping."""
        mapping = self.mapping(operation, action_of(request))
        made, _ = self._made(operation, mapping, request, stamp)
        name = self.operation_of(mapping)
        return name, self._client.envelope(name, self.content(mapping, made, stamp))

    def understand(self, operation: str, request: Any, stamp: Stamp, child: etree._Element) -> PartnerAnswer:
        """What an answer, the one element of its SOAP body, would mean. Raises what makes it unusable."""
        mapping = self.mapping(operation, action_of(request))
        _, known = self._made(operation, mapping, request, stamp)
        with under(replace(known, outbound=False)):
            return self._answer(operation, mapping, stamp, self._disclosed(mapping, child))

    def find_booking(self, operation: str, request: Any, stamp: Stamp, seconds: float) -> PartnerAnswer | None:
        """What became of a message about money whose answer was lost.

        A partner that can be asked is asked (`queried.find_booking`); one that carries out a repetition only once is
        simply sent it again; of any other, only a person can find out.
        """
        if QUERY in self._partner.operations:
            return queried.find_booking(self.call, operation, request, stamp, seconds)
        return None if self._partner.repeats_are_safe else PartnerAnswer(Outcome.UNKNOWN, "QUERY-NONE")

    def mapping(self, operation: str, action: str = "") -> CompiledMapping:
        """The compiled files of an operation, those of this action where it has its own. Raises StylesheetBroken."""
        operations, own = self._partner.operations, f"{operation}.{action}"
        key = own if own in operations else operation
        found = self._mappings.get(key)
        if found is None:
            settings = operations.get(key)
            if settings is None:
                raise StylesheetBroken(f"partner.toml of {self._partner.name} has no [operations.{operation}].")
            rule = settings.success or self._partner.success
            found = self._mappings[key] = CompiledMapping(
                settings,
                Stylesheet(located(settings.request, self._partner.folder)),
                None if settings.response is None else Stylesheet(located(settings.response, self._partner.folder)),
                SuccessRule(
                    at=rule.at,
                    xpath=rule.xpath,
                    accepted=rule.accepted,
                    refused=rule.refused,
                    retry=rule.retry,
                    message=rule.message,
                ),
            )
        return found

    def _not_wanted(self, operation: str, stamp: Stamp, reason: str) -> PartnerAnswer:
        """A yes for a message that the stylesheet keeps back; one that would book must not be."""
        if self._books(operation):
            return PartnerAnswer(Outcome.FAULT, MAPPING, detail="A message that books may not be skipped.")
        result = self._result(Verdict(Meaning.YES, "0", reason), stamp)
        response = self._around.wire.class_of(f"{operation}ResponseType")(result=result)
        return PartnerAnswer(Outcome.ANSWERED, "0", response, detail=f"{KEPT_BACK}{reason}")

    def _books(self, operation: str) -> bool:
        """Whether it moves money there."""
        return operation in BOOKING or (operation == "ReportStatus" and self._partner.registration_charges)

    def _made(
        self, operation: str, mapping: CompiledMapping, request: Any, stamp: Stamp
    ) -> tuple[etree._Element | str, Circumstances]:
        """What the stylesheet makes of our request, and what it was told."""
        message = addressed(self._partner, operation, request, stamp, self._around.now())
        source = as_source("Request", self._around.wire.write(message))
        known = self._circumstances(mapping, stamp, source)
        with under(known):
            return mapping.request.apply(source), known

    def _circumstances(self, mapping: CompiledMapping, stamp: Stamp, source: etree._Element) -> Circumstances:
        return Circumstances(
            partner=self._partner.name,
            hospital_code=stamp.origin.hospital_code,
            outbound=True,
            now=self._around.now(),
            codes=self._around.codes,
            request=source,
            values={
                "function": mapping.settings.function,
                "our_code": self._partner.our_code,
                "message_id": stamp.message_id,
                "partner": self._partner.name,
            },
        )

    def look_up(self, operation: str, written: str, stamp: Stamp, codes: CodeTables) -> None:
        """Ask these tables all that the stylesheet asks about a request, given as its children; nothing is sent.

        Raises StylesheetBroken, MappingFailed.
        """
        source = as_source("Request", written)
        words = (source.findtext(name) for name in ("Action", "Event", "AckType"))
        mapping = self.mapping(operation, next(filter(None, words), ""))
        with under(replace(self._circumstances(mapping, stamp, source), codes=codes)), suppress(NotWanted):
            mapping.request.apply(source)

    # --- the request --------------------------------------------------------------------------------------------------

    def content(
        self, mapping: CompiledMapping, made: etree._Element | str, stamp: Stamp
    ) -> etree._Element | dict[str, str]:
        """What the partner's operation is given: its element, or its parameters by name."""
        if self._style is None:
            if isinstance(made, str):
                raise MappingFailed("The stylesheet makes a text where the element of a typed operation is wanted.")
            return made
        partner = self._partner
        text = payload.write(made, partner.payload, partner.charset, declaration=partner.declaration)
        asked = Asked(
            function=mapping.settings.function,
            payload=text,
            format=partner.payload,
            message_id=stamp.message_id,
            sender=partner.our_code,
            sent_at=self._around.now(),
            username=partner.username or "",
            password=partner.password.get_secret_value() if partner.password else "",
        )
        return self._named(mapping, self._style, self._style.wrap(asked)) | mapping.settings.fixed

    def operation_of(self, mapping: CompiledMapping) -> str:
        """The partner's operation that carries it out. Raises StylesheetBroken when that is not clear."""
        told = mapping.settings.operation or (self._style.operation if self._style is not None else None)
        if told is not None:
            return told
        known = self._client.operations()
        if len(known) == 1:
            return known[0]
        raise StylesheetBroken(
            f"partner.toml of {self._partner.name} does not say which operation is meant: {', '.join(known)}."
        )

    def _exchanged(
        self, mapping: CompiledMapping, made: etree._Element | str, stamp: Stamp
    ) -> Answered | PartnerAnswer:
        """Send what the stylesheet has made, and take the reply apart."""
        child = answer_or_fault(self._sent(mapping, made, stamp))
        return child if isinstance(child, PartnerAnswer) else self._disclosed(mapping, child)

    def _sent(self, mapping: CompiledMapping, made: etree._Element | str, stamp: Stamp) -> Reply:
        operation, content = self.operation_of(mapping), self.content(mapping, made, stamp)
        if isinstance(content, etree._Element):
            return self._client.post_element(operation, content)
        return self._client.post_values(operation, content)

    def _named(self, mapping: CompiledMapping, style: Style, values: Mapping[str, str]) -> dict[str, str]:
        """The parameters by their names in the partner's WSDL: those of the settings, of the style, or by position."""
        known = self._client.parameters(self.operation_of(mapping))
        free = [name for name in known if name not in mapping.settings.fixed]
        by_fold = {name.casefold(): name for name in known}
        names = [by_fold.get(style.name_of(place, self._partner.parameters).casefold()) for place in style.takes]
        if None in names:
            if len(free) < len(style.takes):
                wanted = ", ".join(style.name_of(place, self._partner.parameters) for place in style.takes)
                raise StylesheetBroken(
                    f"{self.operation_of(mapping)} of {self._partner.name} takes {', '.join(known) or 'nothing'}, "
                    f"and {style.word} needs {wanted}: name them in [parameters]."
                )
            names = list(free[: len(style.takes)])
        return {str(name): values[place.role] for name, place in zip(names, style.takes, strict=True)}

    # --- the answer ---------------------------------------------------------------------------------------------------

    def _answer(self, operation: str, mapping: CompiledMapping, stamp: Stamp, answered: Answered) -> PartnerAnswer:
        return self._judged(operation, mapping, stamp, answered, mapping.success.judge(answered))

    def _judged(
        self, operation: str, mapping: CompiledMapping, stamp: Stamp, answered: Answered, verdict: Verdict
    ) -> PartnerAnswer:
        """What an answer means that was judged: our response to a yes, or the partner's code and words."""
        if verdict.meaning is Meaning.UNCLEAR:
            raise UnusableReply("UNCLEAR", detail="The answer holds none of the values that mean yes, no or not now.")
        result = self._result(verdict, stamp)
        if verdict.meaning is not Meaning.YES:
            response = self._around.wire.class_of(f"{operation}ResponseType")(result=result)
            return PartnerAnswer(Outcome.ANSWERED, result.result_code, response, result.result_text)
        try:
            return PartnerAnswer(Outcome.ANSWERED, "0", self._response(operation, mapping, answered, result))
        except (MappingFailed, NotWanted) as problem:
            raise UnusableReply("OFF-CONTRACT", detail=str(problem)) from None

    def _disclosed(self, mapping: CompiledMapping, child: etree._Element) -> Answered:
        """The answer taken apart. A string that nobody looks into may hold anything, such as the word OK."""
        if self._style is None:
            return Answered(child, payload=child)
        is_needed = mapping.success.reads_payload or mapping.response is not None
        try:
            said = self._style.disclose(self._results(self._style, child))
            content = payload.read(said.payload, self._partner.payload) if is_needed and said.payload.strip() else None
        except PayloadUnreadable as problem:
            raise UnusableReply("UNREADABLE", detail=str(problem)) from None
        return Answered(child, said.code, said.text, content)

    def _results(self, style: Style, child: etree._Element) -> dict[str, str]:
        """The results by role: by the names of the settings or of the style, else by position."""
        given = [(folded_name(one), text_with(one)) for one in child.iterchildren(etree.Element)]
        if not given:
            return {PAYLOAD: text_with(child)} if len(style.gives) == 1 else {}
        found = dict(given)
        if len(found) < len(given):
            raise PayloadUnreadable("A result came twice, and nobody knows which counts.")
        names = [style.name_of(place, self._partner.parameters).casefold() for place in style.gives]
        if not set(names) & set(found):
            return {place.role: text for place, text in zip(style.gives, found.values(), strict=False)}
        return {place.role: found.get(name, "") for place, name in zip(style.gives, names, strict=True)}

    def _result(self, verdict: Verdict, stamp: Stamp) -> Result:
        is_yes = verdict.meaning is Meaning.YES
        return Result(
            result_code="0" if is_yes else _code_of(verdict.value),
            result_text=verdict.message or ("成功" if is_yes else "对方拒绝。"),
            result_text_en="Accepted" if is_yes else "The partner refused.",
            message_id=stamp.message_id,
            gateway_txn_no=stamp.message_id,
            duplicate=False,
            retryable=verdict.meaning is Meaning.NOT_NOW,
            processed_at=self._around.now(),
        )

    def _response(self, operation: str, mapping: CompiledMapping, answered: Answered, result: Result) -> Any:
        """Our response: the Result, and what the stylesheet of the answer makes beside it."""
        contract, wire, kind = self._around.contract, self._around.wire, f"{operation}ResponseType"
        if mapping.response is None:
            return wire.class_of(kind)(result=result)
        source = answered.payload if answered.payload is not None else answered.reply
        element = from_result(contract, kind, mapping.response.apply(_alone(source)))
        told = as_source("Result", wire.write(result))
        element.insert(0, from_result(contract, "Result", told))
        wrapper = etree.Element(f"{{{etree.QName(element).namespace}}}{operation}Response")
        wrapper.append(element)
        if not contract.schema.validate(wrapper) and not (
            normalise(contract, wrapper) and contract.schema.validate(wrapper)
        ):
            raise MappingFailed(f"{mapping.response.path.name} makes an answer that breaks our contract.")
        return wire.read(kind, element)


def action_of(request: Any) -> str:
    """The word in a request that says what is to be done, by which settings may differ: NEW, REGISTER, HANDLE."""
    words = (getattr(request, name, None) for name in ("action", "event", "ack_type"))
    return str(next((word for word in words if word), ""))


def text_with(element: etree._Element) -> str:
    """The text of a result; a message that stands in it as elements instead of as text is written as text."""
    children = list(element.iterchildren(etree.Element))
    if not children:
        return element.text or ""
    return "".join(etree.tostring(child, encoding="unicode", with_tail=False) for child in children)


def _alone(element: etree._Element) -> etree._Element:
    """The element as the root of a document of its own."""
    return element if element.getparent() is None else etree.fromstring(etree.tostring(element, with_tail=False))


def _code_of(value: str) -> str:
    """The partner's own code, where it can stand in ours and does not say yes there."""
    shown = value.strip()
    if not shown.isascii() or not shown.isprintable() or " " in shown or not 0 < len(shown) <= LONGEST_CODE:
        return "REFUSED"
    return "NO-0" if shown == "0" else shown
