"""A hospital for tests: the real reception on a real database; only what lies beyond the gateway's door is played."""

from __future__ import annotations

import io
import zlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from lxml import etree
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session, sessionmaker

from building import HOSPITAL, OTHER_HOSPITAL, TEN, ZONE
from gateway.config import Limits, Rules
from gateway.contract import NAMESPACE, Contract
from gateway.documents import Documents
from gateway.errors import InternalFault, InvalidMessage, NotAllowed, ServiceUnavailable
from gateway.messages.common import Result
from gateway.messages.wire import Wire
from gateway.model.base import Base
from gateway.model.delivery import UNFINISHED, Delivery, DeliveryState, Lane
from gateway.model.journal import Alert, AuditEntry, JournalEntry
from gateway.model.partner_hold import HoldMode
from gateway.monitoring import Metrics
from gateway.operations.dispatch import Forward, Held, Outcome, OutcomeHook, PartnerAnswer
from gateway.operations.insurance import OPERATIONS as OPERATIONS_OF_INSURANCE
from gateway.operations.reception import Reception
from gateway.operations.table import HANDLERS, HOOKS
from gateway.operations.unit import Site
from gateway.security.authentication import AuthenticatedClient
from gateway.security.credentials import Credentials
from gateway.soap.envelope import Limits as SoapLimits
from gateway.soap.envelope import SoapVersion
from gateway.soap.pages import IndexPage
from gateway.soap.server import Parts, SoapServer
from gateway.store import make_sessions
from gateway.terms import RequisitionType

CONTRACT = Contract()
WIRE = Wire(CONTRACT, ZONE)
METRICS = Metrics()
NOT_SENT = PartnerAnswer(Outcome.NOT_SENT, "CONNECT")
UNKNOWN = PartnerAnswer(Outcome.UNKNOWN, "TIMEOUT")
FAULT = PartnerAnswer(Outcome.FAULT, "FAULT")

Script = PartnerAnswer | Callable[[Forward], PartnerAnswer]

CLIENTS = {"his": "HIS", "emr": "EMR", "pacs": "PACS", "lis": "LIS", "app": "APP", "yb": "YB"}
"""Partner -> the client name under which it calls."""
ROUTES: dict[str, tuple[str, ...]] = {
    "SubmitRequisition": ("pacs",),
    "ReportStatus": ("his",),
    "SubmitReport": ("his", "emr"),
    "ChargeItem": ("his",),
    "RefundItem": ("his",),
    "PushCriticalValue": ("his",),
    "GetMedicalRecord": ("emr",),
    "ReportVisitEvent": ("pacs", "lis"),
}
RIGHTS = {"HIS": frozenset({"HIS"})}


@dataclass(frozen=True)
class Caller:
    name: str
    rights: frozenset[str]

    def may(self, right: str) -> bool:
        return right in self.rights


@dataclass
class Clock:
    """The hospital's clock; a test may set `now`."""

    now: datetime = TEN

    def __call__(self) -> datetime:
        return self.now


def yes(response: Any = None) -> PartnerAnswer:
    """A partner's yes, with its whole response or none."""
    return PartnerAnswer(Outcome.ANSWERED, "0", response)


def no(code: str, text: str = "不同意") -> PartnerAnswer:
    """A partner's refusal by a rule of its own."""
    return PartnerAnswer(Outcome.ANSWERED, code, None, text)


def response_of(operation: str, code: str = "0", **fields: Any) -> Any:
    """A partner's response to an operation."""
    result = Result(
        result_code=code,
        result_text="成功" if code == "0" else "不同意",
        result_text_en="Accepted" if code == "0" else "Refused",
        message_id="GW-1",
        gateway_txn_no="X1",
        duplicate=False,
        retryable=False,
        processed_at=TEN,
    )
    kind = "ChargeItem" if operation in OPERATIONS_OF_INSURANCE else operation
    return WIRE.class_of(f"{kind}ResponseType")(result=result, **fields)


@dataclass
class RecordingDispatch:
    """The delivery side without a network: keeps what would be sent, answers questions as the test says."""

    sessions: sessionmaker[Session]
    hooks: dict[str, OutcomeHook]
    clock: Clock
    routes: dict[str, tuple[str, ...]] = field(default_factory=lambda: dict(ROUTES))
    clients: dict[str, str] = field(default_factory=lambda: dict(CLIENTS))
    registering_charges: set[str] = field(default_factory=set)
    """Partners that charge by themselves on a forwarded REGISTER."""
    settling: set[str] = field(default_factory=set)
    """Insurance platforms that leave settling to the gateway."""
    holds: dict[str, Held] = field(default_factory=dict)
    """Partners an operator keeps messages from."""
    scripts: dict[tuple[str, str], list[Script]] = field(default_factory=lambda: defaultdict(list))
    always: dict[tuple[str, str], Script] = field(default_factory=dict)
    """What a partner answers when its script has ended, instead of yes."""
    asked: list[Forward] = field(default_factory=list)
    """What was sent at once, in order; a question held back by order is not among them."""
    _forwards: dict[int, Forward] = field(default_factory=dict)

    # --- what operations see ----------------------------------------------------------------------------------------

    def partners_for(
        self,
        operation: str,
        *,
        hospital_code: str,
        requisition_type: RequisitionType | None = None,
        perform_dept: str | None = None,
    ) -> tuple[str, ...]:
        return self.routes.get(operation, ())

    def client_of(self, partner: str) -> str:
        return self.clients[partner]

    def partner_of(self, client: str) -> str | None:
        return next((partner for partner, name in self.clients.items() if name == client), None)

    def charges_on_register(self, partner: str) -> bool:
        return partner in self.registering_charges

    def settles_insurance(self, partner: str) -> bool:
        return partner in self.settling

    def held(self, session: Session, partner: str, *, urgent: bool) -> Held | None:
        held = self.holds.get(partner)
        return held if held is not None and (not urgent or held.mode is HoldMode.STOP) else None

    def enqueue(self, session: Session, forwards: Sequence[Forward]) -> None:
        for forward in forwards:
            self._store(session, forward, DeliveryState.QUEUED)

    def ask(self, session: Session, forward: Forward, seconds: float, *, keep: bool) -> PartnerAnswer:
        assert seconds > 0
        if held := self.held(session, forward.partner, urgent=forward.urgent):
            self.scripts[forward.partner, forward.operation].insert(0, PartnerAnswer(Outcome.NOT_SENT, held.mode))
        delivery_id = self._store(session, forward, DeliveryState.SENDING)
        session.commit()
        return self._attempt(delivery_id, keep=keep)

    def kept(self, type_name: str, text: str) -> Any:
        return WIRE.read_text(type_name, text)

    def withdraw(self, session: Session, *, hospital_code: str, branch_code: str, partner: str, key: str) -> bool:
        lock = f"{partner}|{hospital_code}|{branch_code}|{key}"
        rows = session.scalars(select(Delivery).where(Delivery.lock == lock).with_for_update()).all()
        if any(row.state != DeliveryState.QUEUED and row.state != DeliveryState.DISCARDED for row in rows):
            return False
        for row in rows:
            row.state = DeliveryState.DISCARDED
        return True

    # --- what tests see ---------------------------------------------------------------------------------------------

    def script(self, partner: str, operation: str, *answers: Script) -> None:
        """How a partner answers its next questions; after the last, and without any, it says yes."""
        self.scripts[partner, operation] += answers

    def forwards(self, partner: str | None = None, operation: str | None = None) -> list[Forward]:
        """Everything for partners that was committed, sent at once or queued, in order."""
        with self.sessions() as session:
            ids = session.scalars(select(Delivery.id).order_by(Delivery.id)).all()
        found = [self._forwards[number] for number in ids if number in self._forwards]
        return [f for f in found if partner in (None, f.partner) and operation in (None, f.operation)]

    def states(self, partner: str | None = None) -> list[str]:
        """The states of all deliveries, in order."""
        with self.sessions() as session:
            rows = session.scalars(select(Delivery).order_by(Delivery.id)).all()
        return [row.state for row in rows if partner in (None, row.partner)]

    def deliver(self) -> None:
        """Do what the queue would: try everything queued once, in order."""
        with self.sessions() as session:
            query = select(Delivery.id).where(Delivery.state == DeliveryState.QUEUED).order_by(Delivery.id)
            waiting = session.scalars(query).all()
        for delivery_id in waiting:
            if self._is_queued(delivery_id):  # what one delivery brings may take another out of the queue
                self._attempt(delivery_id, keep=True)

    def recover(self, ask: Callable[[Forward], PartnerAnswer | None]) -> None:
        """Do what the queue does after a crash or a lost answer of money: ask first, and send what is not known."""
        with self.sessions() as session:
            lost = (DeliveryState.SENDING, DeliveryState.UNKNOWN)
            rows = session.execute(
                select(Delivery.id, Delivery.state).where(Delivery.state.in_(lost)).order_by(Delivery.id)
            ).all()
        for delivery_id, state in rows:
            forward = self._forwards[delivery_id]
            if state == DeliveryState.SENDING:
                self._conclude(delivery_id, forward, PartnerAnswer(Outcome.UNKNOWN, "LOST"), keep=True)
            found = ask(forward)
            if found is None:
                self._attempt(delivery_id, keep=True)
            else:
                self._conclude(delivery_id, forward, found, keep=True)

    # --- how it works -----------------------------------------------------------------------------------------------

    def _is_queued(self, delivery_id: int) -> bool:
        with self.sessions() as session:
            return bool(session.get_one(Delivery, delivery_id).state == DeliveryState.QUEUED)

    def _store(self, session: Session, forward: Forward, state: DeliveryState) -> int:
        origin = forward.origin
        row = Delivery(
            partner=forward.partner,
            operation=forward.operation,
            lane=Lane.CRITICAL if forward.urgent else Lane.NORMAL,
            lock=f"{forward.partner}|{origin.hospital_code}|{origin.branch_code}|{forward.key}",
            state=state,
            attempts=0,
            txn_no=origin.txn_no,
            hospital_code=origin.hospital_code,
            origin_sender_code=origin.sender_code,
            origin_message_id=origin.message_id,
            subject=forward.key,
            request=WIRE.write(forward.request),
            created_at=self.clock(),
        )
        session.add(row)
        session.flush()
        self._forwards[row.id] = forward
        return row.id

    def _attempt(self, delivery_id: int, *, keep: bool) -> PartnerAnswer:
        forward = self._forwards[delivery_id]
        answer = self._answer(delivery_id, forward)
        self._conclude(delivery_id, forward, answer, keep=keep)
        return answer

    def _conclude(self, delivery_id: int, forward: Forward, answer: PartnerAnswer, *, keep: bool) -> None:
        with self.sessions.begin() as session:
            row = session.get_one(Delivery, delivery_id)
            row.state, row.last_code = self._outcome(answer, keep=keep), answer.code
            hook = self.hooks.get(forward.operation)
            if hook is not None:
                hook(session, forward, answer, self)

    def _answer(self, delivery_id: int, forward: Forward) -> PartnerAnswer:
        with self.sessions() as session:
            row = session.get_one(Delivery, delivery_id)
            earlier = select(Delivery.id).where(
                Delivery.lock == row.lock, Delivery.id < row.id, Delivery.state.in_(UNFINISHED)
            )
            if forward.key and session.scalars(earlier).first() is not None:
                return NOT_SENT
            row.state = DeliveryState.SENDING
            session.commit()
        self.asked.append(forward)
        waiting = self.scripts[forward.partner, forward.operation]
        answer = waiting.pop(0) if waiting else self.always.get((forward.partner, forward.operation), yes())
        answer = answer(forward) if callable(answer) else answer
        if answer.outcome is Outcome.ANSWERED and answer.response is None:
            return replace(answer, response=response_of(forward.operation, answer.code))
        return answer

    def _outcome(self, answer: PartnerAnswer, *, keep: bool) -> DeliveryState:
        if answer.outcome is Outcome.ANSWERED:
            return DeliveryState.DELIVERED if answer.is_yes else DeliveryState.REFUSED
        if not keep:
            return DeliveryState.DISCARDED
        if answer.outcome is Outcome.NOT_SENT:
            return DeliveryState.QUEUED
        return DeliveryState.UNKNOWN if answer.outcome is Outcome.UNKNOWN else DeliveryState.DEAD


FAULTS = {fault.code: fault for fault in (InternalFault, InvalidMessage, NotAllowed, ServiceUnavailable)}
OPERATIONS = frozenset(operation.name for operation in CONTRACT.operations)


class Door:
    """The gateway's own SOAP server in this process: half of the messages come in as SOAP 1.1, half as SOAP 1.2."""

    def __init__(self, reception: Reception, clock: Clock) -> None:
        documents = Documents(CONTRACT, "http://gateway.example.org/soap")
        self._server = SoapServer(
            Parts(
                contract=CONTRACT,
                wire=WIRE,
                reception=reception,
                directory=self,
                documents=documents,
                index_page=IndexPage(CONTRACT, documents, "http://gateway.example.org/soap"),
                limits=SoapLimits(),
                metrics=METRICS,
                clock=clock,
                readiness=dict,
                keep_unreadable_push=lambda **_: None,
            )
        )

    def authenticate(self, credentials: Credentials | None) -> AuthenticatedClient:
        """Every client may call everything; which special rights it holds stands where its password would."""
        assert credentials is not None
        special = (credentials.password or "").removeprefix("rights:").split()
        return AuthenticatedClient(credentials.name, OPERATIONS | frozenset(special))

    def post(self, document: str, sender: str, rights: frozenset[str], message_id: str) -> etree._Element:
        """The wrapper element of the answer; a fault is raised as what it says it is."""
        version = list(SoapVersion)[zlib.crc32(message_id.encode()) % 2]
        credentials = f"<Username>{sender}</Username><Password>rights:{' '.join(sorted(rights))}</Password>"
        header = f'<s:Header><AuthHeader xmlns="{NAMESPACE}">{credentials}</AuthHeader></s:Header>'
        envelope = f'<s:Envelope xmlns:s="{version.namespace}">{header}<s:Body>{document}</s:Body></s:Envelope>'
        body = envelope.encode()
        environ = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": "/soap",
            "CONTENT_TYPE": version.content_type,
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
        }
        parser = etree.XMLParser(huge_tree=True)
        answer = etree.fromstring(b"".join(self._server(environ, lambda *_: None)), parser)
        assert etree.QName(answer).namespace == version.namespace
        content = answer[-1][0]
        code = content.findtext(f".//{{{NAMESPACE}}}GatewayFault/{{{NAMESPACE}}}Code")
        if code is not None:
            raise FAULTS[code]()
        return content


class Hospital:
    """Everything a test of an operation needs: send a message, look at what it left."""

    def __init__(self, engine: Engine, *, rules: Rules | None = None, limits: Limits | None = None) -> None:
        self.sessions = make_sessions(engine)
        self.clock = Clock()
        self.dispatch = RecordingDispatch(self.sessions, HOOKS, self.clock)
        self.choose(rules=rules, limits=limits)

    def choose(self, *, rules: Rules | None = None, limits: Limits | None = None) -> None:
        """Let the site choose other rules or limits."""
        codes = frozenset({HOSPITAL, OTHER_HOSPITAL})
        self.reception = Reception(
            sessions=self.sessions,
            contract=CONTRACT,
            wire=WIRE,
            site=Site(HOSPITAL, codes, rules or Rules(), limits or Limits()),
            dispatch=self.dispatch,
            handlers=HANDLERS,
            clock=self.clock,
        )
        self.door = Door(self.reception, self.clock)

    def send(self, request: Any, *, by: str | None = None, rights: Sequence[str] | None = None) -> Any:
        """The response to a message, as its sender's partner would read it; request and response keep to the XSD."""
        sender = by or request.header.sender_code
        request = replace(request, header=replace(request.header, sender_code=sender))
        held = RIGHTS.get(sender, frozenset()) if rights is None else frozenset(rights)
        operation = type(request).__name__.removesuffix("Request")
        answer = self.door.post(WIRE.document(operation, request), sender, held, request.header.message_id)
        CONTRACT.schema.assertValid(answer)
        return WIRE.read(f"{operation}ResponseType", answer[0])

    def send_at_once(self, *requests: Any) -> list[Any]:
        """The responses to messages that arrive together, each in a thread of its own."""
        with ThreadPoolExecutor(len(requests)) as threads:
            return list(threads.map(self.send, requests))

    def rows(self, model: type[Base], **equal: Any) -> list[Any]:
        """The rows of a table that have these values, in the order of their keys."""
        with self.sessions() as session:
            return list(session.scalars(select(model).filter_by(**equal).order_by(*model.__table__.primary_key)))

    def row(self, model: type[Base], **equal: Any) -> Any:
        """The one such row."""
        (found,) = self.rows(model, **equal)
        return found

    def alerts(self) -> list[str]:
        """The kinds of the alerts raised so far."""
        return [alert.kind for alert in self.rows(Alert)]

    def audit_of(self, response: Any) -> AuditEntry:
        """What the audit says of the message that got this response."""
        found: AuditEntry = self.row(AuditEntry, txn_no=response.result.gateway_txn_no)
        return found

    def journal_of(self, response: Any) -> JournalEntry:
        found: JournalEntry = self.row(JournalEntry, txn_no=response.result.gateway_txn_no)
        return found

    def add(self, *rows: Base) -> None:
        """Put rows there that no message brings."""
        with self.sessions.begin() as session:
            session.add_all(rows)
