"""The toolkits of vendors put on the line what Axis 1.4, .NET 2.0 and CXF put there."""

from __future__ import annotations

import socket
import threading

from gateway.simulators.vendors.calling import Gateway, request
from gateway.simulators.vendors.toolkits import Raw, axis_encoded, axis_literal, cxf, dotnet

TOLD = request("ANES", "<Lines><Line><Quantity>1</Quantity></Line><Line><Quantity>1</Quantity></Line></Lines>")
LOGIN = ("ANES", "a-password")
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml; charset=utf-8\r\nContent-Length: 4\r\n\r\n<ok>"


def sent(raw: Raw) -> tuple[str, str]:
    """Head and body as they arrive; who waits for it is told to continue."""
    arrived: list[bytes] = []

    def listen() -> None:
        connection, _ = listening.accept()
        with connection, connection.makefile("rb") as lines:
            head = b"".join(iter(lines.readline, b"\r\n"))
            if b"Expect" in head:
                connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            length = int(head.partition(b"Content-Length: ")[2].split()[0])
            arrived.extend([head, lines.read(length)])
            connection.sendall(ANSWER)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listener = threading.Thread(target=listen)
        listener.start()
        assert raw.deliver(Gateway(f"http://127.0.0.1:{listening.getsockname()[1]}")) == (200, "<ok>")
        listener.join()
    return arrived[0].decode(), arrived[1].decode()


def test_axis_writes_objects_behind_the_call_and_equal_ones_once():
    head, body = sent(axis_encoded("ChargeItem", TOLD, LOGIN))
    assert head.startswith("POST /soap HTTP/1.0\r\n")
    assert 'SOAPAction: ""\r\n' in head
    assert '<Request href="#' in body
    assert '<Lines soapenc:arrayType="ns1:Lines[2]" xsi:type="soapenc:Array"' in body
    assert body.count('xsi:type="soapenc:decimal"') == 1, "the number 1 is one object"
    assert body.count('xsi:type="xsd:dateTime"') == 1
    assert ">44643245-7</HospitalCode>" in body


def test_axis_writes_rpc_literal_with_a_part_in_no_namespace_and_ascii_alone():
    _, body = sent(axis_literal("QueryTransaction", request("HRP", "<ChargeNo>𠮷样&amp;</ChargeNo>"), LOGIN))
    assert '<QueryTransaction xmlns="urn:hospital-gateway:v1"><Request xmlns=""><ns1:Header xmlns:ns1=' in body
    assert ">&#xD842;&#xDFB7;&#x6837;&amp;</ns1:ChargeNo>" in body


def test_a_web_reference_waits_to_continue_and_begins_with_a_byte_order_mark():
    head, body = sent(dotnet("ChargeItem", TOLD, LOGIN))
    assert 'SOAPAction: "urn:hospital-gateway:v1/ChargeItem"\r\n' in head
    assert "Expect: 100-continue\r\n" in head
    assert body.startswith('\ufeff<?xml version="1.0" encoding="utf-8"?>')
    assert "<Username>ANES</Username><Password>a-password</Password></AuthHeader>" in body


def test_cxf_proves_itself_by_a_token_that_must_be_understood():
    head, body = sent(cxf("GetMedicalRecord", TOLD, LOGIN))
    assert 'Content-Type: application/soap+xml; action="urn:hospital-gateway:v1/GetMedicalRecord"' in head
    assert "Authorization" not in head
    assert 'soap:mustUnderstand="true"><wsse:UsernameToken' in body


def test_nobody_there_is_no_answer():
    assert dotnet("ChargeItem", TOLD, None).deliver(Gateway("http://127.0.0.1:1")) == (0, "ConnectionRefusedError")
