"""The XSD files as a contract: the subset they keep to, their names, and the Python made from them."""

from __future__ import annotations

import dataclasses
import importlib
import shutil
from enum import StrEnum

import pytest
from lxml import etree

from gateway import terms
from gateway.contract import XML_LANG, XS, Contract, ContractError, snake_case
from gateway.messages.generate import files

CONTRACT = Contract()
FIELDS = [(kind.name, field) for kind in CONTRACT.message_types.values() for field in kind.fields]
MESSAGES = [kind for kind in CONTRACT.message_types.values() if not kind.is_list]
KNOWN = {
    *(
        "schema",
        "include",
        "annotation",
        "documentation",
        "appinfo",
        "element",
        "complexType",
        "sequence",
        "simpleType",
    ),
    *("restriction", "enumeration", "minLength", "maxLength", "pattern", "minInclusive", "maxInclusive"),
    *("totalDigits", "fractionDigits"),
}


def pascal_case(name: str) -> str:
    """The way back from Python's name to the name in the XML."""
    return "".join(part.capitalize() for part in name.split("_"))


@pytest.mark.parametrize("module", CONTRACT.modules)
def test_a_file_uses_only_what_every_toolkit_knows(module):
    used = {etree.QName(element).localname for element in CONTRACT.modules[module].iter()}
    assert used <= KNOWN


def test_there_is_no_choice_no_attribute_and_no_wildcard():
    used = {etree.QName(element).localname for module in CONTRACT.modules.values() for element in module.iter()}
    assert used.isdisjoint({"choice", "all", "any", "anyAttribute", "attribute", "extension", "group", "list", "union"})


@pytest.mark.parametrize(
    "instead", ['<xs:choice><xs:element name="A" type="xs:token"/></xs:choice>', '<xs:any maxOccurs="9"/>']
)
def test_the_gateway_does_not_start_on_anything_else(tmp_path, instead):
    shutil.copytree(CONTRACT.folder / "xsd", tmp_path / "xsd")
    path = tmp_path / "xsd" / "status.xsd"
    plain = '<xs:element name="RequisitionNo" type="Identifier50">'
    path.write_text(path.read_text(encoding="utf-8").replace(plain, instead + plain, 1), encoding="utf-8")
    with pytest.raises(ContractError, match="ReportStatusRequest"):
        _ = Contract(tmp_path).message_types


def test_the_schema_compiles_and_holds_both_elements_of_every_operation():
    elements = {element.get("name") for element in CONTRACT.modules["gateway"].iterchildren(f"{XS}element")}
    names = {operation.name for operation in CONTRACT.operations}
    assert elements == names | {f"{name}Response" for name in names} | {"AuthHeader", "GatewayFault"}
    assert CONTRACT.schema is not None


def test_there_are_eleven_operations_each_with_a_chinese_name():
    assert len(CONTRACT.operations) == 11
    assert all(operation.chinese and operation.english for operation in CONTRACT.operations)
    assert [o.chinese for o in CONTRACT.operations[:2]] == ["提交电子申请单", "回传状态"]


def test_every_request_starts_with_its_header_and_every_response_with_its_result():
    for operation in CONTRACT.operations:
        assert CONTRACT.message_types[operation.request_type].fields[0].name == "Header"
        first, *others = CONTRACT.message_types[operation.response_type].fields
        assert first.name == "Result"
        assert all(field.optional for field in others)


def test_every_field_is_explained_in_chinese_and_english():
    lists = {kind.name for kind in CONTRACT.message_types.values() if kind.is_list}
    silent = [f"{kind}.{f.name}" for kind, f in FIELDS if kind not in lists and not (f.chinese and f.english)]
    assert silent == []


def test_every_type_and_every_value_is_explained_in_chinese_and_english():
    for module in CONTRACT.modules.values():
        for element in module.iter(f"{XS}complexType", f"{XS}simpleType", f"{XS}enumeration"):
            if element.getparent().tag != f"{XS}element":
                languages = [text.get(XML_LANG) for text in element.iterfind(f"{XS}annotation/{XS}documentation")]
                assert languages == ["zh", "en"], element.get("name") or element.get("value")


@pytest.mark.parametrize(
    ("xml", "python"),
    [("RequisitionNo", "requisition_no"), ("StudyInstanceUid", "study_instance_uid"), ("Udi", "udi"), ("At", "at")],
)
def test_names_follow_one_mechanical_rule(xml, python):
    assert snake_case(xml) == python


def test_every_name_of_the_xml_can_be_told_from_the_python_name():
    wrong = [field.name for _, field in FIELDS if pascal_case(field.attribute) != field.name]
    assert wrong == []


@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: kind.name)
def test_a_message_class_has_the_fields_of_its_xsd_type(kind):
    made = getattr(importlib.import_module(f"gateway.messages.{kind.module}"), kind.name)
    fields = dataclasses.fields(made)
    assert [field.name for field in fields] == [field.attribute for field in kind.fields]
    optional = [field.default is not dataclasses.MISSING for field in fields]
    assert optional == [field.optional for field in kind.fields]
    assert made.__dataclass_params__.frozen


def test_the_python_kept_in_the_repository_is_what_the_xsd_gives():
    for path, text in files(CONTRACT).items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name} is out of date: run `make messages`."


def test_every_closed_set_is_an_enumeration_of_the_same_values():
    for closed in (kind for kind in CONTRACT.value_types.values() if kind.values):
        members = getattr(terms, closed.name)
        assert issubclass(members, StrEnum)
        assert [member.value for member in members] == [value for value, *_ in closed.values]


def test_free_text_has_a_length_in_characters():
    unlimited = {f"{kind}.{f.name}" for kind, f in FIELDS if f.type_name == "string" and f.max_length is None}
    assert unlimited == {"AuthHeader.Password", "RecordDocument.Content"}


def test_identifiers_are_visible_ascii():
    for name, kind in CONTRACT.value_types.items():
        if name.startswith("Identifier"):
            assert ("pattern", "[!-~]+") in kind.facets
