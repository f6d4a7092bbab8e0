"""Loads a copied WSDL into zeep, which writes the envelopes; whatever zeep dislikes is told as a WsdlError."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import requests
import zeep
import zeep.exceptions
from zeep.transports import Transport
from zeep.wsdl import Document

from gateway.partners.wsdl.errors import WsdlError


class _NothingRemote(Transport):
    """Reads files; asks nothing of the network."""

    def __init__(self) -> None:
        super().__init__(session=requests.Session())  # type: ignore[no-untyped-call]

    def _load_remote_data(self, url: str) -> bytes:
        raise zeep.exceptions.ExternalReferenceForbidden(url)  # type: ignore[no-untyped-call]


def load(path: Path) -> Document:
    """The WSDL as zeep reads it, without any network. Raises WsdlError."""
    logging.getLogger("zeep").setLevel(logging.WARNING)  # its own log would show envelopes
    settings = zeep.Settings(
        strict=True, raw_response=True, forbid_dtd=True, forbid_entities=True, forbid_external=True, force_https=False
    )
    transport: Any = _NothingRemote()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            document = Document(str(path), transport, settings=settings)
    except zeep.exceptions.ExternalReferenceForbidden as problem:
        raise WsdlError(
            f"{path} imports {problem.url} from the network, which is never asked at run time: copy it with "
            "`gateway partner add`, which fetches all it imports."
        ) from None
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
