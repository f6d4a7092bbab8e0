"""Loads a copied WSDL into zeep, which writes the envelopes; whatever zeep dislikes is told as a WsdlError."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import requests
import zeep
import zeep.exceptions
from lxml import etree
from zeep.transports import Transport
from zeep.wsdl import Document
from zeep.wsdl.messages.soap import RpcMessage
from zeep.xsd import ComplexType, Element
from zeep.xsd.elements.indicators import Group, OrderIndicator

from gateway.partners.wsdl.errors import WsdlError
from gateway.partners.wsdl.names import SENT_AS, WSDL


class NothingFetched(Transport):
    """Keeps zeep from fetching anything: what a WSDL imports must lie beside it."""

    def __init__(self) -> None:
        super().__init__(session=requests.Session())  # type: ignore[no-untyped-call]

    def _load_remote_data(self, url: str) -> bytes:
        raise zeep.exceptions.ExternalReferenceForbidden(url)  # type: ignore[no-untyped-call]


def settings() -> zeep.Settings:
    """How zeep reads and writes for us."""
    return zeep.Settings(
        strict=True, raw_response=True, forbid_dtd=True, forbid_entities=True, forbid_external=True, force_https=False
    )


def load(path: Path) -> Document:
    """The WSDL as zeep reads it, without any network. Raises WsdlError."""
    logging.getLogger("zeep").setLevel(logging.WARNING)  # its own log would show envelopes
    logging.getLogger("zeep.xsd.types.simple").setLevel(logging.CRITICAL)  # and values that are not of their type
    transport: Any = NothingFetched()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            document = Document(str(path), transport, settings=settings())
            _send_under_their_names(document, path.parent)
            _free_self(document)
    except zeep.exceptions.ExternalReferenceForbidden as problem:
        raise WsdlError(
            f"{path} imports {problem.url} from the network, which is never asked at run time: copy it with "
            "`gateway partner add`, which fetches all it imports."
        ) from None
    except FileNotFoundError:
        raise WsdlError(f"{path}, or a file that it imports, does not exist.") from None
    except OSError as problem:
        raise WsdlError(f"{path} cannot be read: {problem.filename}: {problem.strerror}.") from None
    except RecursionError:
        raise WsdlError(
            f"{path} has a type that is derived from itself: ask the partner for the schema again."
        ) from None
    except Exception as problem:
        raise WsdlError(f"{path} cannot be used: {_said(problem)}. {_ADVICE}") from None
    if not any(port.binding.all() for service in document.services.values() for port in service.ports.values()):
        raise WsdlError(f"{path} has no operation that can be called by SOAP. {_ADVICE}")
    return document


def _send_under_their_names(document: Document, folder: Path) -> None:
    """In rpc style an operation that shares its name is sent under that name, not under the one it is known by."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    names = {
        (bound.getparent().get("name"), bound.get("name")): bound.get(SENT_AS, "")
        for file in folder.glob("*.wsdl")
        for bound in etree.parse(str(file), parser).iterfind(f".//{WSDL}operation[@{SENT_AS}]")
    }
    for binding in {port.binding for service in document.services.values() for port in service.ports.values()}:
        for operation in binding.all().values() if names else ():
            name = names.get((binding.name.localname, operation.name))
            if name and isinstance(operation.input, RpcMessage) and operation.input.body is not None:
                body = operation.input.body
                body.qname, body.name = etree.QName(body.qname.namespace, name), name


def _free_self(document: Document) -> None:
    """zeep passes what it has read as arguments of Python, where no field can be called `self`."""
    bindings = [port.binding for service in document.services.values() for port in service.ports.values()]
    waiting: list[Any] = [one.input.body for binding in bindings for one in binding.all().values() if one.input]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, Element):
            one.attr_name = "self_" if one.attr_name == "self" else one.attr_name
            waiting.append(one.type)
        elif isinstance(one, ComplexType):
            waiting.append(one._element)
        elif isinstance(one, (OrderIndicator, Group)):
            waiting.extend(one)


_ADVICE = "Take the WSDL of the partner's service again with `gateway partner add`, or ask the partner for another one."


def _said(problem: Exception) -> str:
    """What zeep says, in one line; a mistake inside zeep only by its kind."""
    if isinstance(problem, zeep.exceptions.Error):
        place = ""
        if isinstance(problem, zeep.exceptions.XMLParseError) and problem.sourceline:
            place = f", line {problem.sourceline} of {Path(problem.filename or '').name}"
        return " ".join(str(problem.message).split())[:300].rstrip(".") + place
    return (
        f"it holds something that is not understood ({type(problem).__name__}: {' '.join(str(problem).split())[:200]})"
    )
