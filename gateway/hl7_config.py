"""A port where HL7 comes in: the keys of [[hl7]] in gateway.toml. docs/hl7.md describes them."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Literal

from pydantic import Field, model_validator

from gateway.facade_config import FacadeFunction, FileName, Xpath
from gateway.strict import Identifier, Strict

MessageType = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9]{2}\^[A-Z0-9]{3}$")]


class Hl7Message(FacadeFunction):
    """How messages of some types become messages of ours."""

    types: tuple[MessageType, ...] = Field(min_length=1)
    """As MSH-9 says: ORM^O01."""
    when: Xpath | None = None
    """Only those for which this XPath is true: ORC/ORC.1/ORC.1.1 = 'SC'."""


_ORDERS = ("ORM^O01", "OMG^O19", "OML^O21")
_FILLERS = (*_ORDERS, "ORG^O20", "ORL^O22", "ORR^O02")
_OF_FILLERS = "contains(' SC UA OD OC ', concat(' ', ORC/ORC.1/ORC.1.1, ' '))"


def _standard(types: tuple[str, ...], operation: str, name: str, when: str | None = None) -> Hl7Message:
    return Hl7Message(types=types, operation=operation, request=f"gateway:hl7/{name}-from-hl7.xsl", when=when)


STANDARD_MESSAGES = (
    _standard(_FILLERS, "ReportStatus", "status", _OF_FILLERS),
    _standard(_ORDERS, "SubmitRequisition", "requisition"),
    _standard(("ORU^R01",), "SubmitReport", "report"),
    _standard(("ORU^R40",), "PushCriticalValue", "critical"),
    _standard(("DFT^P03",), "RefundItem", "refund", "FT1/FT1.6/FT1.6.1 != 'CG'"),
    _standard(("DFT^P03",), "ChargeItem", "charge"),
)
"""What is done with messages where a port says nothing else."""


class Hl7Port(Strict):
    """One port, of one client."""

    name: Identifier
    """In the log, and in the journal as MLLP NAME."""
    client: Identifier
    """Whose rights count (`gateway client add`): MLLP itself brings no password."""
    host: str = "127.0.0.1"
    port: int = Field(ge=1, le=65535)
    addresses: tuple[IPv4Network | IPv6Network, ...] = ()
    """Who may connect; everybody is only allowed where certificates prove who it is."""
    certificate_file: FileName | None = None
    """Ours, with what leads to its authority; TLS when given."""
    key_file: FileName | None = None
    ca_file: FileName | None = None
    """The authorities that sign the client's certificate, which it must then show."""
    charset: Literal["", "utf-8", "gb18030"] = ""
    """Of messages whose MSH-18 says nothing; UTF-8, else GB18030, when not given."""
    hospital_code: Annotated[str, Field(pattern=r"^[!-~]{1,22}$")] | None = None
    """Of all its messages; that of the site when absent."""
    values: dict[str, str] = {}
    """What stylesheets are told by g:value(): outpatient_release, inpatient_release, perform_dept, charge_point ..."""
    messages: tuple[Hl7Message, ...] = STANDARD_MESSAGES
    """The first that fits a message is taken."""
    connections: int = Field(default=200, ge=1, le=2000)
    largest_bytes: int = Field(default=20 * 1024 * 1024, ge=4096)
    message_seconds: float = Field(default=30, gt=0, le=300)
    """For a message to arrive, from its first byte, and for its answer to be taken."""
    idle_seconds: float = Field(default=3600, gt=0)
    """How long a connection may be silent between two messages."""

    @model_validator(mode="after")
    def _knows_who_calls(self) -> Hl7Port:
        if not self.addresses and self.ca_file is None:
            raise ValueError("say who may connect: addresses, or TLS with ca_file")
        if (self.key_file or self.ca_file) and self.certificate_file is None:
            raise ValueError("key_file and ca_file need certificate_file")
        return self
