"""The rules that make clients from Axis 1.4 to Qt read our WSDL; each was found by trying them."""

from __future__ import annotations

import pytest
import zeep
from lxml import etree
from suds.client import Client

from gateway.contract import NAMESPACE, Contract
from gateway.documents import Documents

CONTRACT = Contract()
URL = "http://gateway.example.org:8080/soap"
DOCUMENTS = Documents(CONTRACT, URL)
OPERATIONS = [operation.name for operation in CONTRACT.operations]
WSDLS = {"soap11": DOCUMENTS.wsdl("wsdl"), "soap12": DOCUMENTS.wsdl("wsdl=soap12")}
PREFIXES = {
    "wsdl": "http://schemas.xmlsoap.org/wsdl/",
    "soap11": "http://schemas.xmlsoap.org/wsdl/soap/",
    "soap12": "http://schemas.xmlsoap.org/wsdl/soap12/",
    "xs": "http://www.w3.org/2001/XMLSchema",
}

both = pytest.mark.parametrize("version", ["soap11", "soap12"])


def find(version: str, path: str) -> list:
    return etree.fromstring(WSDLS[version]).xpath(path.replace("soap:", f"{version}:"), namespaces=PREFIXES)


def test_rule_1_each_wsdl_offers_one_soap_version_because_axis_dies_on_both():
    assert find("soap11", "//wsdl:port/@name") == ["HospitalGatewaySoap"]
    assert find("soap12", "//wsdl:port/@name") == ["HospitalGatewaySoap12"]


def test_rule_2_the_soap_1_1_wsdl_does_not_even_name_soap_1_2_because_gsoap_would_speak_it():
    assert b"soap12" not in WSDLS["soap11"].lower()
    assert b"soap12" not in DOCUMENTS.file("/wsdl/gateway.wsdl")[0].lower()


def test_rule_3_both_versions_have_one_address():
    assert {find(version, "string(//soap:address/@location)") for version in WSDLS} == {URL}


@both
def test_rule_4_the_style_is_document_literal_wrapped_in_one_namespace(version):
    assert find(version, "//soap:binding/@style") == ["document"]
    assert set(find(version, "//@use")) == {"literal"}
    assert set(find(version, "//wsdl:message[contains(@name, 'put')]/wsdl:part/@name")) == {"parameters"}
    assert find(version, "//xs:schema/@elementFormDefault") == ["qualified"]
    assert set(find(version, "//@targetNamespace")) == {NAMESPACE}


@both
@pytest.mark.parametrize("operation", OPERATIONS)
def test_rule_4_each_operation_has_a_wrapper_for_request_and_answer(version, operation):
    for message, wrapper in ((f"{operation}Input", operation), (f"{operation}Output", f"{operation}Response")):
        assert find(version, f"//wsdl:message[@name='{message}']/wsdl:part/@element") == [f"tns:{wrapper}"]
        children = find(version, f"//xs:element[@name='{wrapper}']/xs:complexType/xs:sequence/xs:element/@name")
        assert children == ["Response" if wrapper.endswith("Response") else "Request"]


@both
def test_rule_5_every_input_declares_the_authentication_header_and_no_policy(version):
    headers = find(version, "//wsdl:binding/wsdl:operation/wsdl:input/soap:header")
    assert [header.get("message") for header in headers] == ["tns:AuthHeader"] * len(OPERATIONS)
    assert find(version, "//wsdl:message[@name='AuthHeader']/wsdl:part/@element") == ["tns:AuthHeader"]
    assert b"policy" not in WSDLS[version].lower()


@both
def test_rule_6_every_operation_declares_the_fault_and_the_fault_has_fields(version):
    assert len(find(version, "//wsdl:portType/wsdl:operation/wsdl:fault[@message='tns:GatewayFault']")) == 11
    assert len(find(version, "//wsdl:binding/wsdl:operation/wsdl:fault/soap:fault[@name='GatewayFault']")) == 11
    fields = find(version, "//xs:complexType[@name='GatewayFaultType']//xs:element/@name")
    assert fields == ["Code", "Message", "MessageEn", "ErrorId", "Path", "Expected", "Retryable"]


@both
def test_rule_7_free_text_is_a_plain_string_because_nusoap_escapes_no_other(version):
    assert find(version, "//xs:simpleType[xs:restriction/@base='xs:string']") == []
    assert find(version, "//xs:element//xs:simpleType") == []
    assert len(find(version, "//xs:element[@name='PatientName'][@type='xs:string']")) == 2


@both
def test_rule_7_addresses_are_plain_strings_too_because_nusoap_leaves_their_ampersands_as_they_are(version):
    assert find(version, "//xs:element[@type='xs:anyURI']") == []
    assert len(find(version, "//xs:element[@name='ViewerUrl'][@type='xs:string']")) == 1


@both
def test_rule_8_a_list_is_a_wrapper_around_complex_children_and_nothing_is_nillable(version):
    complex_types = {f"tns:{name}" for name in find(version, "//xs:complexType/@name")}
    repeated = find(version, "//xs:element[@maxOccurs]")
    assert all(element.get("type") in complex_types for element in repeated)
    assert all(len(element.getparent()) == 1 for element in repeated)
    assert find(version, "//@nillable") == []


def test_rule_9_the_address_never_comes_from_a_request():
    other = Documents(CONTRACT, "https://elsewhere.example.org/soap")
    assert other.wsdl("wsdl").replace(b"https://elsewhere.example.org/soap", URL.encode()) == WSDLS["soap11"]


@both
def test_port_type_binding_and_messages_name_the_same_operations(version):
    assert find(version, "//wsdl:portType/wsdl:operation/@name") == OPERATIONS
    assert find(version, "//wsdl:binding/wsdl:operation/@name") == OPERATIONS
    messages = [name for one in OPERATIONS for name in (f"{one}Input", f"{one}Output")]
    assert find(version, "//wsdl:message/@name") == ["AuthHeader", "GatewayFault", *messages]
    actions = [f"urn:hospital-gateway:v1/{name}" for name in OPERATIONS]
    assert find(version, "//soap:operation/@soapAction") == actions


@both
def test_zeep_reads_the_wsdl_and_makes_every_request(version, tmp_path):
    file = tmp_path / "gateway.wsdl"
    file.write_bytes(WSDLS[version])
    client = zeep.Client(str(file))
    for name in OPERATIONS:
        assert client.get_type(f"{{{NAMESPACE}}}{name}Request").name == f"{name}Request"
    assert sorted(client.service._operations) == sorted(OPERATIONS)


def test_suds_reads_the_wsdl_and_offers_one_request_for_each_operation(tmp_path):
    file = tmp_path / "gateway.wsdl"
    file.write_bytes(WSDLS["soap11"])
    client = Client(file.as_uri(), cache=None)
    [definition] = client.sd
    methods = {method[0]: [part[0] for part in method[1]] for method in definition.ports[0][1]}
    assert methods == {name: ["Request"] for name in OPERATIONS}


def test_suds_sends_the_authentication_header_because_it_is_declared(tmp_path):
    file = tmp_path / "gateway.wsdl"
    file.write_bytes(WSDLS["soap11"])
    client = Client(file.as_uri(), cache=None, nosend=True, prettyxml=False)
    header = client.factory.create("ns0:AuthHeader")
    header.Username, header.Password = "PACS", "secret"
    client.set_options(soapheaders=header)
    envelope = client.service.QueryTransaction({"Header": {"MessageId": "1", "SenderCode": "PACS"}}).envelope
    assert b"Username>PACS</" in envelope
