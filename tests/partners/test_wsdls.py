"""Partners' WSDLs as they really are: more than a hundred, each odd in its own way, are copied, loaded and spoken."""

import datetime
import re
import shutil
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import zeep
from lxml import etree
from zeep import xsd

from gateway.mapping.errors import MappingFailed
from gateway.partner_config import Partner
from gateway.partners.foreign import ForeignClient
from gateway.partners.wsdl import standard
from gateway.partners.wsdl.copying import Copied, copy_wsdl
from gateway.partners.wsdl.describing import Port, describe, guess_dialect
from gateway.partners.wsdl.errors import WsdlError
from gateway.partners.wsdl.loading import load
from gateway.partners.wsdl.validating import mistakes, schema_of
from tests.partners.as_a_stylesheet_makes_it import form, wrapper

ODD = Path(__file__).parent / "wsdls"
WSDLS = sorted(path for path in ODD.glob("*.wsdl") if path.name != "jaxws_only_types.wsdl")
HELD_BY_OTHERS = {"jaxws_types.wsdl", "jaxws_whole.wsdl", "jaxws_back.wsdl", "wcf_wsdl0.wsdl", "wsdl7.wsdl"}

ENVELOPE = "{http://schemas.xmlsoap.org/soap/envelope/}"
ENVELOPE_12 = "{http://www.w3.org/2003/05/soap-envelope}"


def copied(name: str, into: Path) -> Copied:
    return copy_wsdl(ODD / name, into / "wsdl", seconds=1)


@pytest.fixture(scope="module")
def copy_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Copied]:
    """The copy of a WSDL, made once for all that only look at it."""
    return cache(lambda name: copied(name, tmp_path_factory.mktemp("copy")))


def words(result: Copied) -> str:
    return "\n".join(repair.text for repair in result.repairs)


def envelope(result: Copied, operation: str | None = None, **values: Any) -> etree._Element:
    """What zeep writes for one operation, with an example for what is not given."""
    document = load(result.wsdl)
    client: Any = zeep.Client(document, settings=document.settings)
    port = describe(document)[0]
    service = client.bind(port.service, port.name)
    name = operation or port.operations[0].name
    body = service._binding.get(name).input.body
    if body is None:
        return client.create_message(service, name)
    if not isinstance(body.type, xsd.ComplexType):
        return client.create_message(service, name, *(values.values() or ["text"]))
    return client.create_message(service, name, **(values or example(body.type)))


def example(kind: Any, depth: int = 0) -> dict[str, Any]:
    """Something for every field that must be there."""
    values = {}
    elements = kind.elements[:1] if isinstance(kind._element, xsd.Choice) else kind.elements
    for name, element in elements:
        if element.min_occurs == 0 and depth > 2:
            continue
        if isinstance(element, xsd.Any):
            values[name] = etree.Element("anything") if element.min_occurs else None
        elif isinstance(getattr(element, "type", None), xsd.ComplexType):
            array = element.type._array_type
            if array:
                held = array.array_type
                value: Any = [example(held) if isinstance(held, xsd.ComplexType) else plain(held)]
            else:
                value = example(element.type, depth + 1)
            values[name] = [value] if element.max_occurs == "unbounded" else value
        else:
            value = plain(getattr(element, "type", None))
            values[name] = [value] if element.max_occurs == "unbounded" else value
    return values


def plain(kind: Any) -> Any:
    for type_, value in (
        (xsd.Boolean, True),
        (xsd.Decimal, Decimal("1.50")),
        (xsd.Integer, 1),
        (xsd.Double, 1.5),
        (xsd.DateTime, datetime.datetime(2026, 11, 24, 10, 15, tzinfo=datetime.UTC)),
        (xsd.Date, datetime.date(2026, 11, 24)),
        (xsd.Base64Binary, b"PDF"),
    ):
        if isinstance(kind, type_):
            return value
    return None if kind is None else "text"


def test_more_than_a_hundred_wsdls_are_odd_each_in_its_own_way():
    odd = [path for path in WSDLS if path.name not in HELD_BY_OTHERS]
    told = [
        re.search(r"<!-- (.+?) -->", path.read_bytes().replace(b"\0", b"").decode("gb18030", "replace")) for path in odd
    ]
    assert len(odd) >= 100
    assert all(told)
    assert len({comment.group(1) for comment in told if comment}) == len(odd)


@pytest.mark.parametrize("path", WSDLS, ids=lambda path: path.stem)
def test_every_operation_of_an_odd_wsdl_can_be_called_with_what_a_stylesheet_makes(
    path: Path, copy_of: Callable[[str], Copied]
):
    result = copy_of(path.name)
    for port in describe(load(result.wsdl)):
        client = client_of(result, port)
        for operation in port.operations:
            body = client._binding.get(operation.name).input.body
            if body is None:
                assert len(body_of(client.envelope(operation.name, {}))) == 0
                continue
            sent = body_of(client.envelope(operation.name, wrapper(body)))
            sent = sent if body.qname == sent.tag else sent[0]
            assert sent.tag == operation.element
            assert "item" in form(wrapper(body)) or form(sent) == form(wrapper(body))


def client_of(result: Copied, port: Port) -> ForeignClient:
    """The gateway's client of a partner with this WSDL."""
    return ForeignClient(
        Partner(
            name="PACS",
            folder=result.wsdl.parent,
            url="http://pacs.example.org/",
            dialect="typed",
            wsdl=result.wsdl.name,
            service=port.service,
            port=port.name,
            soap_version=port.soap_version,
        )
    )


def body_of(envelope: etree._Element) -> etree._Element:
    return next(envelope.iter(ENVELOPE + "Body", ENVELOPE_12 + "Body"))


@pytest.mark.parametrize("path", WSDLS, ids=lambda path: path.stem)
def test_what_is_copied_needs_nothing_from_outside_its_folder(path: Path, copy_of: Callable[[str], Copied]):
    result = copy_of(path.name)
    for file in result.wsdl.parent.iterdir():
        for element in etree.parse(str(file)).getroot().iter("*"):
            for attribute in ("schemaLocation", "location"):
                place = element.get(attribute)
                if place and etree.QName(element).localname in ("import", "include", "redefine"):
                    assert (result.wsdl.parent / place).is_file()


@pytest.mark.parametrize("path", WSDLS, ids=lambda path: path.stem)
def test_what_is_written_has_the_form_the_partners_own_schema_wants(path: Path, copy_of: Callable[[str], Copied]):
    """The values are examples and may break a facet; every element must stand where the schema has it."""
    result = copy_of(path.name)
    port = describe(load(result.wsdl))[0]
    operation = port.operations[0]
    if operation.style == "rpc" or not operation.element or path.name in NO_FORM:
        return
    client = client_of(result, port)
    made = wrapper(client._binding.get(operation.name).input.body)
    sent = body_of(client.envelope(operation.name, made))[0]
    found = [text for text in mistakes(schema_of(result.wsdl), sent) if "valid" not in text and "facet" not in text]
    assert found == []


NO_FORM = {
    "asmx_dataset_parameter.wsdl": "what is inside a DataSet nobody knows",
    "axis2_type_in_document_style.wsdl": "its element stands in no schema",
    "broken_all_with_repetition.wsdl": "its schema is ambiguous, which libxml2 refuses",
    "broken_default_and_fixed.wsdl": "it has a fixed value",
}


def test_a_copy_is_not_changed_by_copying_it_again(tmp_path: Path):
    for name in (
        "asmx_tempuri_slash_only_outside.wsdl",
        "wcf_schemas_by_query.wsdl",
        "axis1_array_never_imported.wsdl",
    ):
        first = copied(name, tmp_path / name)
        second = copy_wsdl(first.wsdl, tmp_path / name / "again")
        assert set(second.files) == set(first.files)
        assert etree.tostring(envelope(second)) == etree.tostring(envelope(first))


# --- What is sent -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "namespace"),
    [
        ("asmx_tempuri_without_slash.wsdl", "http://tempuri.org"),
        ("asmx_tempuri_slash_only_outside.wsdl", "http://tempuri.org"),
        ("asmx_tempuri_slash_only_in_schema.wsdl", "http://tempuri.org/"),
        ("cache_no_scheme_in_namespace.wsdl", "www.zysoft.com.cn"),
        ("cache_namespace_webservice.wsdl", "WebService"),
        ("cache_namespace_scheme_only_in_schema.wsdl", "http://www.zysoft.com.cn"),
        ("cache_no_namespace.wsdl", None),
        ("cache_empty_namespace.wsdl", None),
        ("jaxws_chameleon.wsdl", "http://pacs.example.org/ws"),
        ("jaxws_schema_found_by_namespace.wsdl", "http://pacs.example.org/alone"),
    ],
)
def test_what_is_sent_keeps_the_namespace_of_the_partners_definition(name: str, namespace: str | None, tmp_path: Path):
    body = next(envelope(copied(name, tmp_path)).iter(ENVELOPE + "Body"))
    assert etree.QName(body[0]).namespace == namespace


def test_parameters_without_namespace_are_sent_without(tmp_path: Path):
    written = envelope(copied("jaxws_unqualified_arg0.wsdl", tmp_path), arg0="A1")
    assert [etree.QName(node).text for node in written.iter("{*}arg0")] == ["arg0"]


def test_an_array_of_soap_encoding_is_sent_with_its_items(tmp_path: Path):
    written = envelope(copied("axis1_array_never_imported.wsdl", tmp_path), codes=["CT01", "CT02"])
    assert [node.text for node in written.iter() if node.text in ("CT01", "CT02")] == ["CT01", "CT02"]


def test_a_redefined_type_has_its_old_and_its_new_fields(tmp_path: Path):
    written = envelope(copied("jaxws_redefine.wsdl", tmp_path), order={"no": "R1", "urgent": True})
    assert [etree.QName(node).localname for node in written.iter("{*}no", "{*}urgent")] == ["no", "urgent"]


def test_another_form_of_an_operation_is_called_by_another_name_and_sent_as_it_is(tmp_path: Path):
    written = envelope(copied("asmx_overloads.wsdl", tmp_path), "GetReport2", no="1", day="2026-11-24")
    assert next(written.iter("{*}GetReportByDay")) is not None


def test_what_a_stylesheet_leaves_empty_is_sent_empty(tmp_path: Path):
    result = copied("asmx_numbers_and_empty_objects.wsdl", tmp_path)
    made = etree.fromstring(
        '<SendReport xmlns="http://tempuri.org/"><count>1</count><day>2026-11-24T10:15:00</day><order/><note/><note>b</note>'
        "</SendReport>"
    )
    sent = body_of(client_of(result, describe(load(result.wsdl))[0]).envelope("SendReport", made))[0]
    assert [(etree.QName(one).localname, one.text or "") for one in sent[2:]] == [
        ("order", ""), ("note", ""), ("note", "b"),
    ]  # fmt: skip


def test_a_value_that_is_not_of_its_type_is_refused_and_not_shown(tmp_path: Path):
    result = copied("asmx_numbers_and_empty_objects.wsdl", tmp_path)
    made = etree.fromstring('<SendReport xmlns="http://tempuri.org/"><count>many</count></SendReport>')
    with pytest.raises(MappingFailed, match="<count> holds what is no int of the WSDL") as told:
        client_of(result, describe(load(result.wsdl))[0]).envelope("SendReport", made)
    assert "many" not in str(told.value)


def test_forms_of_one_rpc_operation_have_names_of_their_own_and_are_sent_under_the_one(tmp_path: Path):
    result = copied("axis1_three_forms_of_one_operation.wsdl", tmp_path)
    port = describe(load(result.wsdl))[0]
    assert [(one.name, one.soap_action, len(one.parameters)) for one in port.operations] == [
        ("get2", "get2", 2), ("get3", "get3", 3), ("get", "get1", 1),
    ]  # fmt: skip
    for operation in port.operations:
        body = client_of(result, port)._binding.get(operation.name).input.body
        sent = body_of(client_of(result, port).envelope(operation.name, wrapper(body)))[0]
        assert sent.tag == "{http://lis.example.org/ws}get"
        assert len(sent) == len(operation.parameters)


def test_encoded_arrays_say_the_type_and_number_of_their_items(tmp_path: Path):
    result = copied("axis1_arrays_in_bean.wsdl", tmp_path)
    client = client_of(result, describe(load(result.wsdl))[0])
    made = etree.fromstring(
        '<l:send xmlns:l="http://lis.example.org/ws"><orders><item><no>1</no><codes><item>CT</item><item>MR</item></codes>'
        "</item></orders></l:send>"
    )
    orders = body_of(client.envelope("send", made))[0][0]
    order, codes = orders[0], orders[0][1]
    xsi, enc = "{http://www.w3.org/2001/XMLSchema-instance}type", "{http://schemas.xmlsoap.org/soap/encoding/}arrayType"
    assert [orders.get(xsi), codes.get(xsi)] == ["soapenc:Array", "soapenc:Array"]
    assert [orders.get(enc), codes.get(enc)] == ["t0:Order[1]", "xsd:string[2]"]
    assert [order.get(xsi), order[0].get(xsi), codes[0].get(xsi)] == ["t0:Order", "xsd:string", "xsd:string"]
    assert {"soapenc", "t0", "xsd", "xsi"} <= set(orders.nsmap)


# --- What is told about repairs ---------------------------------------------------------------------------------------

TOLD = {
    "text_two_documents.wsdl": "behind the end",
    "jaxws_abstract_element.wsdl": "took Search, which is abstract, as ByNumber, ByName",
    "text_gbk_says_latin1.wsdl": "read it as GB18030 (it says iso-8859-1",
    "text_misspelt_namespaces.wsdl": "took the namespace https://schemas.xmlsoap.org/wsdl/ as http://schemas",
    "broken_capitals_in_tags.wsdl": "took <ComplexType> as <complexType>",
    "broken_group_in_itself.wsdl": "removed a group from G, which it holds itself",
    "broken_extension_directly_in_type.wsdl": "into complexContent",
    "broken_answer_and_fault_nowhere.wsdl": "does not know the output of SendReport: ",
    "broken_unused_import_is_a_page.wsdl": "broken_page.xsd is a web page, no WSDL); nothing uses it",
    "wcf_all_in_imported_wsdl.wsdl": "took wsdl7.wsdl from beside the WSDL, not from 127.0.0.1",
    "jaxws_types_in_another_wsdl.wsdl": "took the schemas of jaxws_only_types.wsdl",
    "asmx_address_with_impossible_port.wsdl": "is none; write url in partner.toml",
    "axis1_three_forms_of_one_operation.wsdl": "called another form of get, line 25, get2",
    "text_bom.wsdl": "byte order mark",
    "text_leading_blank_lines.wsdl": "removed blank lines",
    "text_junk_before_declaration.wsdl": "removed characters before the XML declaration",
    "text_gbk_says_utf8.wsdl": "read it as GB18030 (it says utf-8",
    "text_gb2312_with_gbk_characters.wsdl": "it says gb2312 and holds characters that has not",
    "text_standalong.wsdl": "put right the XML declaration",
    "text_trailing_junk.wsdl": "behind the end",
    "text_doctype.wsdl": "DOCTYPE",
    "asmx_tempuri_slash_only_outside.wsdl": "took names of http://tempuri.org/ as those of http://tempuri.org (",
    "asmx_soapaction_missing.wsdl": "empty SOAPAction",
    "asmx_address_localhost.wsdl": "http://localhost:2581/HospitalService.asmx may hold only inside",
    "asmx_address_missing.wsdl": "has no address; write url in partner.toml",
    "asmx_four_ports.wsdl": "left out the binding HospitalHttpGet, which is not SOAP",
    "asmx_overloads.wsdl": "called another form of GetReport",
    "axis1_array_never_imported.wsdl": "added an import of http://schemas.xmlsoap.org/soap/encoding/",
    "axis1_schema_of_1999.wsdl": "old XML Schema",
    "axis2_jms_beside.wsdl": "OrderJms, whose transport",
    "broken_unused_import_of_dead_host.wsdl": "nothing answers at 127.0.0.1:9); nothing uses it",
    "broken_type_twice_the_same.wsdl": "dropped one type Order, which is defined the same twice",
    "broken_type_twice_differently.wsdl": "the longer form counts",
    "broken_no_service.wsdl": "made a service",
    "broken_imports_its_own_namespace.wsdl": "included broken_order.xsd",
    "broken_import_under_wrong_namespace.wsdl": "imported jaxws_common.xsd as http://pacs.example.org/common",
    "cache_prefix_undeclared_in_names.wsdl": "took the undeclared prefix s0",
    "jaxws_soap12_prefix_undeclared.wsdl": "declared the prefix wsoap12",
    "jaxws_schema_by_address.wsdl": "took jaxws_orders.xsd from beside the WSDL, not from dev-build-07.invalid",
    "jaxws_redefine.wsdl": "which it redefines",
    "wcf_imports_twice.wsdl": "stands twice",
}


@pytest.mark.parametrize("name", TOLD)
def test_every_repair_is_told_in_words(name: str, tmp_path: Path):
    assert TOLD[name] in words(copied(name, tmp_path))


def test_the_copy_says_at_its_top_where_it_came_from_and_what_was_repaired(tmp_path: Path):
    text = copied("text_standalong.wsdl", tmp_path).wsdl.read_text()
    assert "Copied from" in text
    assert "Repaired: put right the XML declaration" in text


def test_an_operation_that_needs_what_cannot_be_had_is_left_out_and_the_others_stay(tmp_path: Path):
    result = copied("broken_one_of_two_operations_needs_dead_host.wsdl", tmp_path)
    assert [operation.name for operation in describe(load(result.wsdl))[0].operations] == ["GetPatient"]
    assert "left out the operation SaveOrder" in words(result)
    assert "save it as Common.xsd beside the WSDL" in words(result)


def test_a_missing_schema_that_is_put_beside_the_wsdl_is_found_by_its_namespace(tmp_path: Path):
    shutil.copy(ODD / "refused" / "needs_dead_host.wsdl", tmp_path / "his.wsdl")
    (tmp_path / "from-the-vendor.xsd").write_text(
        '<s:schema xmlns:s="http://www.w3.org/2001/XMLSchema" targetNamespace="http://dead.example.org/">'
        '<s:complexType name="Order"><s:sequence><s:element name="no" type="s:string"/>'
        "</s:sequence></s:complexType></s:schema>"
    )
    result = copy_wsdl(tmp_path / "his.wsdl", tmp_path / "wsdl", seconds=1)
    assert next(envelope(result).iter("no")).text == "text"


# --- What cannot be loaded --------------------------------------------------------------------------------------------

REFUSED = {
    "namespace_with_blanks.wsdl": "the namespace 'http://his service/ws' is no URI",
    "entities_without_end.wsdl": "holds entities that grow without end",
    "word.wsdl": "is a Word file, no WSDL",
    "axis_greeting.wsdl": "is a web page, no WSDL",
    "page.wsdl": "is a web page, no WSDL",
    "wsdl_in_a_page.wsdl": "a web page in which a WSDL is shown",
    "login_page.wsdl": "the page of a login",
    "json.wsdl": "is JSON, no WSDL",
    "empty.wsdl": "is empty",
    "words.wsdl": "holds no XML element",
    "cut_short.wsdl": "is no well-formed XML, line 9",
    "wsdl_2.wsdl": "is a WSDL 2.0",
    "wadl.wsdl": "is a WADL of a REST service",
    "fault.wsdl": "is a SOAP message",
    "disco.wsdl": "is a .disco file",
    "only_a_schema.wsdl": "is a schema, no WSDL",
    "needs_dead_host.wsdl": (
        "needs_dead_host.wsdl, line 6: <element> needs the type Order of namespace http://dead.example.org/, which "
        "would come from the import in line 6"
    ),
    "needs_unknown_schema.wsdl": "which no file of this WSDL defines and none imports",
    "needs_unknown_prefix.wsdl": "nothing declares the prefix d",
    "only_http_get.wsdl": "it has no SOAP binding",
    "no_port_type.wsdl": "it has no port type",
    "own_entity.wsdl": "uses an entity of its own (&host;)",
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_wsdl_that_cannot_be_loaded_is_explained(name: str, tmp_path: Path):
    with pytest.raises(WsdlError) as told:
        copy_wsdl(ODD / "refused" / name, tmp_path / "wsdl", seconds=1)
    text = str(told.value)
    assert REFUSED[name] in text
    assert name in text
    assert "\n" not in text
    assert text.endswith(".")
    assert not (tmp_path / "wsdl").exists()


def test_every_refused_file_has_its_explanation():
    assert {path.name for path in (ODD / "refused").iterdir()} == set(REFUSED)


def test_a_file_that_is_not_there_is_told(tmp_path: Path):
    with pytest.raises(WsdlError, match=r"nowhere.wsdl cannot be read: no such file"):
        copy_wsdl(tmp_path / "nowhere.wsdl", tmp_path / "wsdl")


# --- What a WSDL offers -----------------------------------------------------------------------------------------------

DIALECTS = {
    "style_callinterface.wsdl": "call-interface",
    "style_hipmessageserver.wsdl": "hip-message-server",
    "style_techservice.wsdl": "tech-service",
    "style_call.wsdl": "call",
    "style_getmq.wsdl": "esb-entry",
    "style_hl7_string.wsdl": "hl7-string",
    "style_xmlparameter.wsdl": "single",
    "style_req_unqualified.wsdl": "single",
    "cache_one_pinput.wsdl": "single",
    "asmx_nested_classes.wsdl": "typed",
    "asmx_three_strings.wsdl": "typed",
}


@pytest.mark.parametrize("name", DIALECTS)
def test_the_dialect_is_guessed_from_the_operations(name: str, tmp_path: Path):
    port = describe(load(copied(name, tmp_path).wsdl))[0]
    assert guess_dialect(port).dialect == DIALECTS[name]


def test_our_own_contract_is_recognised(tmp_path: Path):
    contract = Path(__file__).parents[2] / "wsdl" / "gateway.wsdl"
    port = describe(load(copy_wsdl(contract, tmp_path / "wsdl").wsdl))[0]
    assert guess_dialect(port).dialect == "canonical"
    assert len(port.operations) == 11


def test_ports_operations_and_fields_are_described(tmp_path: Path):
    first, second = describe(load(copied("asmx_four_ports.wsdl", tmp_path).wsdl))
    assert [(port.name, port.soap_version) for port in (first, second)] == [
        ("HospitalSoap", "1.1"),
        ("HospitalSoap12", "1.2"),
    ]
    operation = first.operations[0]
    assert (operation.name, operation.soap_action) == ("SendReport", "http://tempuri.org/SendReport")
    assert [(field.name, field.type, field.is_string) for field in operation.parameters] == [
        ("reportXml", "string", True)
    ]
    assert [field.name for field in operation.results] == ["SendReportResult"]


def test_a_type_that_holds_itself_is_described_to_a_depth(tmp_path: Path):
    operation = describe(load(copied("cache_type_that_holds_itself.wsdl", tmp_path).wsdl))[0].operations[0]
    assert max(depth for depth, _ in operation.parameters[0].walk()) < 20


def test_classes_that_hold_each_other_are_described_until_there_are_enough_fields(tmp_path: Path):
    operation = describe(load(copied("wcf_classes_that_hold_each_other.wsdl", tmp_path).wsdl))[0].operations[0]
    assert sum(1 for _ in operation.parameters[0].walk()) < 10_000


def test_the_items_of_an_encoded_array_and_the_members_of_a_repeated_choice_are_described(tmp_path: Path):
    orders = describe(load(copied("axis1_arrays_in_bean.wsdl", tmp_path / "a").wsdl))[0].operations[0].parameters[0]
    assert [(depth, field.name, field.repeats) for depth, field in orders.walk()] == [
        (0, "orders", False), (1, "item", True), (2, "no", False), (2, "codes", False), (3, "item", True),
    ]  # fmt: skip
    choice = describe(load(copied("broken_choice_that_repeats.wsdl", tmp_path / "b").wsdl))[0].operations[0]
    assert [field.name for field in choice.parameters] == ["code", "text"]


def test_what_may_be_anything_is_described_as_any(tmp_path: Path):
    fields = describe(load(copied("asmx_dataset_parameter.wsdl", tmp_path).wsdl))[0].operations[0].parameters
    assert {field.name for parameter in fields for _, field in parameter.walk() if field.namespace is None} == {"any"}


def test_a_one_way_operation_and_a_header_are_described(tmp_path: Path):
    assert describe(load(copied("asmx_one_way.wsdl", tmp_path / "a").wsdl))[0].operations[0].one_way
    assert describe(load(copied("asmx_header_for_login.wsdl", tmp_path / "b").wsdl))[0].operations[0].headers == (
        "Token",
    )


@pytest.mark.parametrize("name", sorted(set(standard.FILES.values())))
def test_our_copies_of_standard_schemas_are_valid(name: str):
    etree.XMLSchema(etree.parse(str(standard.FOLDER / name)))
