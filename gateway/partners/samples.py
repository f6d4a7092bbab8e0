"""The messages a partner is tried with: those in its own folder, else the samples of our contract."""

from __future__ import annotations

from typing import Any

from lxml import etree

from gateway.contract import Contract
from gateway.mapping.errors import MappingFailed
from gateway.messages.wire import Wire
from gateway.partner_config import Partner


def sample_of(partner: Partner, key: str, contract: Contract, wire: Wire) -> Any:
    """The request of `samples/<key>.request.xml` or of our contract; the key is that of `[operations]`.

    Raises MappingFailed when the partner's file holds no such message.
    """
    operation = key.partition(".")[0]
    if operation not in {one.name for one in contract.operations}:
        raise MappingFailed(f"partner.toml has [operations.{operation}], which is no operation of our contract.")
    theirs = partner.path("samples") / f"{key}.request.xml"
    path = theirs if theirs.is_file() else contract.sample(operation)
    try:
        wrapper = etree.parse(str(path), etree.XMLParser(no_network=True, resolve_entities=False)).getroot()[-1][0]
    except (etree.XMLSyntaxError, IndexError):
        raise MappingFailed(f"{path.name} is no SOAP envelope.") from None
    if not contract.schema.validate(wrapper) or etree.QName(wrapper).localname != operation:
        raise MappingFailed(f"{path.name} is no {operation} of our contract: `gateway explain` says what is wrong.")
    return wire.read(f"{operation}Request", wrapper[0])
