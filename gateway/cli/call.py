"""The command that sends one message, as a partner's program would: to try an address, a password, a sample."""

from __future__ import annotations

import base64
import http.client
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

import typer
from lxml import etree

from gateway.cli.terminal import FAILED, HERE, WRONG, Failure, Folder, note, one_line, read_password, show_xml
from gateway.config import load_settings
from gateway.contract import NAMESPACE, Contract
from gateway.partners.connection import usual_tls

SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
LARGEST_ANSWER = 64 * 1024 * 1024


class Proof(StrEnum):
    """How the user and the password travel."""

    BASIC = "basic"
    HEADER = "header"


def add_to(app: typer.Typer) -> None:
    app.command("call")(call)


def call(
    operation: Annotated[str, typer.Argument(metavar="OPERATION", help="Such as SubmitRequisition.")],
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="A SOAP envelope; the contract's own sample when left out.")
    ] = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="URL", help="This site's own address when left out.")
    ] = None,
    user: Annotated[str | None, typer.Option("--user", metavar="NAME")] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    proof: Annotated[Proof, typer.Option("--auth", help="HTTP Basic, or the contract's AuthHeader.")] = Proof.BASIC,
    seconds: Annotated[float, typer.Option("--timeout", min=0.1, max=600, help="Seconds to wait.")] = 30,
    folder: Folder = HERE,
) -> None:
    """Send a message and show the answer. Exit code 0 only when its ResultCode is 0."""
    envelope = _envelope(operation, file)
    address = urlsplit(to or load_settings(folder).endpoint)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise Failure("--to must be an address such as http://127.0.0.1:8080/soap.", WRONG)
    headers = {"Content-Type": _content_type(envelope, operation), "User-Agent": "hospital-gateway call"}
    if envelope.tag == f"{{{SOAP11}}}Envelope":
        headers["SOAPAction"] = f'"{NAMESPACE}/{operation}"'
    if user is not None:
        if not password_stdin:
            raise Failure("--user needs --password-stdin: pipe the password into the command.", WRONG)
        _prove(envelope, headers, proof, user, read_password())
    status, answer = _post(address, etree.tostring(envelope, xml_declaration=True, encoding="UTF-8"), headers, seconds)
    raise typer.Exit(_show(status, answer))


def _envelope(operation: str, file: Path | None) -> etree._Element:
    """The envelope to send; it must carry the operation that was asked for."""
    contract = Contract()
    names = [known.name for known in contract.operations]
    if operation not in names:
        raise Failure(f"There is no operation {operation}; there are: {', '.join(names)}.", WRONG)
    path = file or contract.sample(operation)
    try:
        root = etree.fromstring(path.read_bytes(), etree.XMLParser(no_network=True, resolve_entities=False))
    except OSError as error:
        raise Failure(f"{path} cannot be read: {error.strerror}.", WRONG) from None
    except etree.XMLSyntaxError as error:
        raise Failure(f"{path} is not XML: {error.msg}.", WRONG) from None
    soap = etree.QName(root).namespace
    body = root.find(f"{{{soap}}}Body")
    if soap not in (SOAP11, SOAP12) or body is None or len(body) != 1:
        raise Failure(f"{path} is not a SOAP envelope with one message in its Body.", WRONG)
    if body[0].tag != f"{{{NAMESPACE}}}{operation}":
        raise Failure(f"{path} holds {etree.QName(body[0]).localname}, not {operation} of {NAMESPACE}.", WRONG)
    return root


def _content_type(envelope: etree._Element, operation: str) -> str:
    if envelope.tag == f"{{{SOAP12}}}Envelope":
        return f'application/soap+xml; charset=utf-8; action="{NAMESPACE}/{operation}"'
    return "text/xml; charset=utf-8"


def _prove(envelope: etree._Element, headers: dict[str, str], proof: Proof, user: str, password: str) -> None:
    """Add who calls, in the HTTP header or in the SOAP header."""
    if proof is Proof.BASIC:
        headers["Authorization"] = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
        return
    soap = etree.QName(envelope).namespace
    header = envelope.find(f"{{{soap}}}Header")
    if header is None:
        header = etree.Element(f"{{{soap}}}Header")
        envelope.insert(0, header)
    block = etree.SubElement(header, f"{{{NAMESPACE}}}AuthHeader")
    etree.SubElement(block, f"{{{NAMESPACE}}}Username").text = user
    etree.SubElement(block, f"{{{NAMESPACE}}}Password").text = password


def _post(address: SplitResult, body: bytes, headers: dict[str, str], seconds: float) -> tuple[int, bytes]:
    host, path = str(address.hostname), address.path or "/"
    connection: http.client.HTTPConnection
    if address.scheme == "https":
        connection = http.client.HTTPSConnection(host, address.port, timeout=seconds, context=usual_tls())
    else:
        connection = http.client.HTTPConnection(host, address.port, timeout=seconds)
    try:
        connection.request("POST", path + (f"?{address.query}" if address.query else ""), body, headers)
        response = connection.getresponse()
        return response.status, response.read(LARGEST_ANSWER)
    except TimeoutError:
        raise Failure(f"No answer from {host} within {seconds:g} s: the message may have been carried out.") from None
    except (OSError, http.client.HTTPException) as error:
        why = getattr(error, "verify_message", "") or getattr(error, "strerror", "") or type(error).__name__
        raise Failure(f"{host}:{connection.port} cannot be reached: {one_line(str(why))}.") from None
    finally:
        connection.close()


def _show(status: int, answer: bytes) -> int:
    """Print the answer and give the exit code."""
    try:
        root = etree.fromstring(answer, etree.XMLParser(no_network=True, resolve_entities=False))
    except etree.XMLSyntaxError:
        raise Failure(f"The answer is HTTP {status} and no XML: is this the address of a SOAP service?") from None
    show_xml(root)
    code = root.findtext(f".//{{{NAMESPACE}}}ResultCode") or root.findtext(f".//{{{NAMESPACE}}}Code")
    if status == 200 and code == "0":
        return 0
    note(f"gateway: The answer is {code or 'a fault'} (HTTP {status}).")
    return FAILED
