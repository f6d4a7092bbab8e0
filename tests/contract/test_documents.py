"""What partners download: the WSDL in one piece, the XSD files, the samples."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import pytest
from lxml import etree

from gateway.contract import Contract
from gateway.documents import Documents

CONTRACT = Contract()
URL = "http://gateway.example.org:8080/soap"
DOCUMENTS = Documents(CONTRACT, URL)
XS = "{http://www.w3.org/2001/XMLSchema}"


@pytest.mark.parametrize("query", ["wsdl", "WSDL", "Wsdl", "wsdl=", "singleWsdl", "SINGLEWSDL", "wsdl=soap11"])
def test_any_spelling_of_wsdl_gives_soap_1_1(query):
    assert b"HospitalGatewaySoap12" not in DOCUMENTS.wsdl(query)
    assert DOCUMENTS.wsdl(query) == DOCUMENTS.wsdl("wsdl")


@pytest.mark.parametrize("query", ["wsdl=soap12", "WSDL=SOAP12", "singleWsdl=soap12"])
def test_soap_1_2_is_asked_for_by_name(query):
    assert b"HospitalGatewaySoap12" in DOCUMENTS.wsdl(query)


@pytest.mark.parametrize(
    "query", ["", "x=wsdl", "wsdl=soap13", "wsdl=../../etc/passwd", "xsd=common.xsd", "%00", "&&=;"]
)
def test_another_query_is_no_wsdl(query):
    assert DOCUMENTS.wsdl(query) is None


def test_the_published_wsdl_needs_no_other_file():
    for query in ("wsdl", "wsdl=soap12"):
        text = DOCUMENTS.wsdl(query).decode()
        assert "schemaLocation" not in text
        assert "<xs:import" not in text
        assert "<xs:include" not in text


def test_the_published_schema_is_the_schema_of_the_files():
    [schema] = etree.fromstring(DOCUMENTS.wsdl("wsdl")).iter(f"{XS}schema")
    names = [child.get("name") for child in schema if child.get("name")]
    files = [child.get("name") for module in CONTRACT.modules.values() for child in module if child.get("name")]
    assert names == files
    etree.XMLSchema(schema)


def test_the_published_schema_accepts_the_samples():
    [element] = etree.fromstring(DOCUMENTS.wsdl("wsdl")).iter(f"{XS}schema")
    schema = etree.XMLSchema(element)
    for operation in CONTRACT.operations:
        schema.assertValid(etree.parse(CONTRACT.sample(operation.name)).getroot()[0][0])


def test_partners_read_chinese_and_english_in_the_wsdl_and_not_our_own_notes():
    text = DOCUMENTS.wsdl("wsdl").decode()
    assert "申请单号" in text
    assert "Order number" in text
    assert "appinfo" not in text


def test_the_address_is_the_configured_one_everywhere():
    for content in (DOCUMENTS.wsdl("wsdl"), DOCUMENTS.wsdl("wsdl=soap12"), DOCUMENTS.file("/wsdl/gateway.wsdl")[0]):
        assert content.count(f'address location="{URL}"'.encode()) == 1
        assert b"127.0.0.1" not in content


def test_an_address_with_special_characters_stays_xml():
    text = Documents(CONTRACT, 'http://gateway.example.org/soap?a=1&b="<2>"').wsdl("wsdl")
    address = etree.fromstring(text).find(".//{http://schemas.xmlsoap.org/wsdl/soap/}address")
    assert address.get("location") == 'http://gateway.example.org/soap?a=1&b="<2>"'


def test_every_process_publishes_the_same_bytes():
    program = (
        "import hashlib; from gateway.contract import Contract; from gateway.documents import Documents;"
        f"d = Documents(Contract(), {URL!r});"
        "print(hashlib.sha256(d.wsdl('wsdl') + d.wsdl('wsdl=soap12')).hexdigest(), d.paths)"
    )
    expected = hashlib.sha256(DOCUMENTS.wsdl("wsdl") + DOCUMENTS.wsdl("wsdl=soap12")).hexdigest()
    for seed in ("0", "1", "4711"):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        answer = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=True)
        assert answer.stdout.decode().strip() == f"{expected} {DOCUMENTS.paths}"


def test_the_files_of_the_contract_are_published_as_they_are():
    for name in CONTRACT.modules:
        content, content_type = DOCUMENTS.file(f"/xsd/{name}.xsd")
        assert content == (CONTRACT.folder / "xsd" / f"{name}.xsd").read_bytes()
        assert content_type == "text/xml; charset=utf-8"


def test_the_raw_wsdl_finds_its_schema_by_the_relative_path():
    content, _ = DOCUMENTS.file("/wsdl/gateway.wsdl")
    include = etree.fromstring(content).find(f".//{XS}include")
    assert include.get("schemaLocation") == "../xsd/gateway.xsd"
    assert DOCUMENTS.file("/xsd/gateway.xsd") is not None


def test_every_sample_is_published():
    for operation in CONTRACT.operations:
        content, _ = DOCUMENTS.file(f"/samples/{operation.name}.xml")
        assert content == CONTRACT.sample(operation.name).read_bytes()


@pytest.mark.parametrize(
    "path",
    [
        "/xsd/",
        "/xsd/nothing.xsd",
        "/xsd/../wsdl/gateway.wsdl",
        "/wsdl/samples/ChargeItem.xml",
        "/samples/../../pyproject.toml",
        "/xsd//common.xsd",
        "/XSD/common.xsd",
        "xsd/common.xsd",
        "/xsd/common.xsd\0",
        "/etc/passwd",
        "",
    ],
)
def test_nothing_else_is_published(path):
    assert DOCUMENTS.file(path) is None


def test_every_listed_path_answers():
    assert all(DOCUMENTS.file(path) for path in DOCUMENTS.paths)
    assert len(DOCUMENTS.paths) == 2 + len(CONTRACT.modules) + len(CONTRACT.operations)
