"""The expression of deploy/haproxy-groups.cfg finds the hospital of a message, and nothing else, in any form of it."""

import re
from pathlib import Path

import pytest

from benchmarks.group_messages import FORMS, SOAP_12, Form, Sender
from gateway.contract import Contract

DEPLOY = Path(__file__).parents[2] / "deploy"
CONFIGURATION = (DEPLOY / "haproxy-groups.cfg").read_text(encoding="utf-8")
NORTH, SOUTH = "44643245-7", "55512345-6"
OPERATIONS = [operation.name for operation in Contract().operations]
READABLE = [form for form in FORMS if not form.by_login]
PREFIXED = Form("prefixes", SOAP_12, prefixes=True)


def hospital_of(body: bytes) -> str | None:
    """As HAProxy finds it; Python knows the same expressions."""
    expression = re.search(r'req\.body,regsub\("(.+?)","\\1"\)', CONFIGURATION)
    assert expression is not None
    found = re.match(expression[1].encode(), body)
    return found[1].decode() if found else None


def group_of(name: str, key: str) -> str | None:
    lines = (DEPLOY / name).read_text(encoding="utf-8").splitlines()
    return dict(line.split() for line in lines if not line.startswith("#")).get(key)


def body_of(form: Form, operation: str = "SubmitRequisition") -> bytes:
    return Sender(SOUTH, "HIS", "p").message(operation, form, "M1").body


@pytest.mark.parametrize("form", READABLE, ids=lambda form: form.name)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_is_led_to_its_hospital_in_every_form(operation, form):
    assert hospital_of(body_of(form, operation)) == SOUTH


def test_the_samples_as_they_are_delivered_are_led_to_their_hospital():
    bodies = [Contract().sample(operation).read_bytes() for operation in OPERATIONS]
    assert {hospital_of(body) for body in bodies} == {NORTH}


@pytest.mark.parametrize("form", [FORMS[0], PREFIXED], ids=lambda form: form.name)
def test_a_critical_value_without_hospital_is_not_led_by_its_free_text(form):
    nameless = Form(form.name, form.soap, form.prefixes, trap=True, nameless=True)
    body = body_of(nameless, "PushCriticalValue")
    assert b"HospitalCode" in body
    assert hospital_of(body) is None


def test_a_header_cut_off_before_its_hospital_leads_nowhere():
    body = body_of(FORMS[0])
    assert hospital_of(body[: body.index(b"<HospitalCode")]) is None
    assert hospital_of(body[: body.index(b"</HospitalCode")]) is None


def test_a_hospital_in_the_soap_header_is_not_taken():
    other = f"<soapenv:Header><HospitalCode>{NORTH}</HospitalCode></soapenv:Header>".encode()
    assert hospital_of(body_of(FORMS[0]).replace(b"<soapenv:Body>", other + b"<soapenv:Body>")) == SOUTH


def test_spaces_around_the_code_and_attributes_do_no_harm():
    body = body_of(FORMS[0]).replace(SOUTH.encode(), b"\n " + SOUTH.encode() + b"\t")
    assert hospital_of(body.replace(b"<HospitalCode>", b'<HospitalCode a="b">')) == SOUTH


@pytest.mark.parametrize("piece", [b"<Body>", b"<Header ", b"<Body><Header><", b"<a:", b"<HospitalCode>"])
def test_a_hostile_body_costs_the_router_no_time(piece):
    assert hospital_of(b"<Body ><Header>" + piece * (16000 // len(piece))) is None
    assert hospital_of(piece * (16000 // len(piece))) is None


def test_every_line_of_the_maps_names_a_backend_and_unknown_hospitals_have_none():
    backends = re.findall(r"^backend (\w+)", CONFIGURATION, re.MULTILINE)
    assert {group_of("hospitals.map", NORTH), group_of("hospitals.map", SOUTH)} == {"north", "south"} <= set(backends)
    assert group_of("logins.map", "PACS-SOUTH") == "south"
    assert group_of("hospitals.map", "99999999-9") is None
