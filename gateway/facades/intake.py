"""The way of a mapped message: an authenticated client, a request that keeps to the contract, the core, the answer.

Everything that maps messages of others to ours ends here (facades, the HL7 listener), so that a mapped message goes
exactly the way of one that came to /soap: rights, room, idempotency, rules, journal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from lxml import etree

from gateway.contract import Contract
from gateway.errors import CodeNotMapped, InvalidMessage, MessageFault, TooLarge
from gateway.facades.translation import PUSH, Defaults, wrapper_of
from gateway.mapping.errors import MappingFailed
from gateway.mapping.ours import as_source
from gateway.messages.wire import Wire
from gateway.model.client import SpecialRight
from gateway.operations.unit import Received
from gateway.security.authentication import AuthenticatedClient
from gateway.security.credentials import Credentials
from gateway.soap.conversion import Conversion
from gateway.soap.cycle import Reception
from gateway.soap.repairs import Repairs
from gateway.soap.unreadable import Directory, KeepUnreadablePush

LARGE_OPERATION = "SubmitReport"
LONGEST_TEXT = 500


class Clients(Directory, Protocol):
    """Knows the clients, also those that prove themselves by something else: gateway/security/authentication.py."""

    def known(self, name: str) -> AuthenticatedClient:
        """The client of that name; NotAuthenticated if there is none."""
        ...


@dataclass(slots=True)
class Arrival:
    """One message of another form, as far as it has come."""

    came_by: str
    """What the journal says of its way, in the place of the version of SOAP: "1.1 facade HIP", "MLLP LAB"."""
    raw: bytes
    """What the journal keeps of it: as it came, without passwords."""
    received_at: datetime
    txn_no: str
    hospital_code: str
    """When the message names none."""
    caller: AuthenticatedClient | None = None
    operation: str = ""
    message_id: str = ""
    result_code: str = ""


class Intake:
    """Takes mapped messages; one per process, for any number of threads."""

    def __init__(
        self,
        *,
        contract: Contract,
        wire: Wire,
        reception: Reception,
        clients: Clients,
        keep_unreadable_push: KeepUnreadablePush,
        require_room: Callable[[str], None],
    ) -> None:
        self.contract = contract
        self.wire = wire
        self._conversion = Conversion(contract, wire)
        self._reception = reception
        self.clients = clients
        self._keep_unreadable_push = keep_unreadable_push
        self._require_room = require_room

    def admit(self, arrival: Arrival, credentials: Credentials | None) -> AuthenticatedClient:
        """The client these credentials prove. Raises NotAuthenticated, TooMany."""
        arrival.caller = self.clients.authenticate(credentials)
        return arrival.caller

    def admit_known(self, arrival: Arrival, name: str) -> AuthenticatedClient:
        """The client of that name, which something else than a password proves. Raises NotAuthenticated."""
        arrival.caller = self.clients.known(name)
        return arrival.caller

    def take(
        self,
        arrival: Arrival,
        operation: str | None,
        make: Callable[[], tuple[str, etree._Element]],
        repairs: Repairs,
        *,
        message_id: str = "",
        is_large: bool = False,
    ) -> Any:
        """The response to an admitted message.

        `make` maps it: our operation, and its request without namespace and in any order. Where `operation` is known
        before, rights are asked before the work. `message_id` is taken where the request has none; without either it
        is made of the content. One that `is_large` may only be a report. Raises MessageFault; a refusal by a rule is a
        response.
        """
        assert arrival.caller is not None
        if operation is not None:
            self._require(arrival, operation, is_large)
        try:
            found, made = make()
            if operation is None:
                self._require(arrival, found, is_large)
            request = self._read(arrival, found, made, repairs, message_id)
        except (InvalidMessage, CodeNotMapped) as reason:
            self.keep_unreadable(arrival, arrival.operation, reason)
            raise
        arrival.message_id = request.header.message_id
        response = self._reception.receive(
            Received(
                operation=arrival.operation,
                request=request,
                caller=arrival.caller,
                xml=arrival.raw,
                soap_version=arrival.came_by,
                received_at=arrival.received_at,
                txn_no=arrival.txn_no,
                repairs=frozenset(repairs),
            )
        )
        arrival.result_code = response.result.result_code
        return response

    def _require(self, arrival: Arrival, operation: str, is_large: bool = False) -> None:
        assert arrival.caller is not None
        arrival.operation = operation
        arrival.caller.require(operation)
        if is_large and not (operation == LARGE_OPERATION and arrival.caller.may(SpecialRight.LARGE_REPORT)):
            raise TooLarge()
        self._require_room(operation)

    def _read(self, arrival: Arrival, operation: str, made: etree._Element, repairs: Repairs, message_id: str) -> Any:
        assert arrival.caller is not None
        defaults = Defaults(arrival.caller.name, arrival.hospital_code, arrival.received_at, message_id)
        try:
            wrapper = wrapper_of(self.contract, operation, made, defaults)
        except MappingFailed as problem:
            raise InvalidMessage(f"报文无法转换：{problem}", str(problem)) from None
        return self._conversion.read(operation, wrapper, repairs)

    def keep_unreadable(self, arrival: Arrival, operation: str, reason: MessageFault) -> None:
        """A critical value nobody can read is kept and alarms the duty office, as at /soap; nothing else is."""
        if operation != PUSH or arrival.caller is None or not isinstance(reason, InvalidMessage):
            return
        self._require(arrival, operation)
        self._keep_unreadable_push(
            txn_no=arrival.txn_no,
            received_at=arrival.received_at,
            sender_code=arrival.caller.name,
            soap_version=arrival.came_by,
            xml=arrival.raw,
            reason=reason,
        )

    # --- what stylesheets make the other side's answer of -------------------------------------------------------------

    def answer(self, response: Any) -> etree._Element:
        """<Response> as our contract has it, without namespace."""
        return as_source("Response", self.wire.write(response))

    @staticmethod
    def fault(arrival: Arrival, fault: MessageFault, error_id: str) -> etree._Element:
        """<Fault> with the Result a response would have, so that stylesheets tell both in the same way."""
        root = etree.Element("Fault")
        result = etree.SubElement(root, "Result")
        for name, value in (
            ("ResultCode", fault.code),
            ("ResultText", fault.text_zh),
            ("ResultTextEn", fault.text_en),
            ("MessageId", arrival.message_id),
            ("GatewayTxnNo", arrival.txn_no),
            ("Duplicate", "false"),
            ("Retryable", "true" if fault.retryable else "false"),
            ("ProcessedAt", arrival.received_at.isoformat(timespec="seconds")),
        ):
            etree.SubElement(result, name).text = value[:LONGEST_TEXT]
        for name, value in (("Path", fault.path), ("Expected", fault.expected), ("ErrorId", error_id)):
            if value:
                etree.SubElement(root, name).text = value[:LONGEST_TEXT]
        return root
