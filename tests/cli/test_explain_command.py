"""`gateway explain`: the whole list of what is wrong with a request, for the person who writes the program."""

from pathlib import Path

import pytest
from at_the_terminal import Command

from gateway.contract import Contract

CONTRACT = Contract()
SECRET = "张三的秘密"


def sample(operation: str = "SubmitRequisition") -> str:
    return CONTRACT.sample(operation).read_text(encoding="utf-8")


@pytest.fixture
def told(gateway: Command, tmp_path: Path):
    """Each line of the list for a request, which never holds anything of its values."""

    def explain(text: str) -> list[str]:
        file = tmp_path / "request.xml"
        file.write_text(text, encoding="utf-8")
        said = gateway("explain", file)
        assert said.code == 1
        assert SECRET not in said.out + said.err
        lines = [line.removeprefix("✗ ") for line in said.out.splitlines()]
        assert said.mistake.endswith(f"has {len(lines)} mistake{'s' if len(lines) > 1 else ''}.")
        return lines

    return explain


@pytest.mark.parametrize("operation", [operation.name for operation in CONTRACT.operations])
def test_every_sample_has_no_mistake(gateway, operation):
    said = gateway("explain", CONTRACT.sample(operation))
    assert (said.code, said.out) == (0, f"✓ {operation} keeps to the contract.\n")


def test_every_mistake_is_listed_in_the_order_of_the_message(told):
    text = sample().replace("<SentAt>", "<SentAt>today ").replace("<Action>NEW", f"<Action>{SECRET}")
    lines = told(text.replace("<PatientId>", "<PatientNo>").replace("</PatientId>", "</PatientNo>"))
    assert [line.split()[0].rstrip(":") for line in lines] == [
        "Request/Header/SentAt",
        "Request/Action",
        "Request/Patient/PatientId",
        "Request/Patient/PatientNo",
    ]


def test_a_field_is_named_in_chinese_with_what_is_allowed(told):
    (line,) = told(sample().replace("<Action>NEW", f"<Action>{SECRET}"))
    assert line.startswith("Request/Action 操作: 内容不对 has the wrong content; expected: NEW 新增 | UPDATE 修改")


def test_text_beyond_its_length_is_found_beside_other_mistakes(told):
    text = sample().replace("<ItemName>", f"<ItemName>{SECRET * 100}").replace("<ItemSeq>1<", "<ItemSeq>x<")
    assert [line.split()[0] for line in told(text)][:2] == [
        "Request/Items/Item[1]/ItemSeq",
        "Request/Items/Item[1]/ItemName",
    ]


def test_an_empty_element_an_attribute_and_text_between_elements_are_each_named(told):
    text = sample().replace("<Visit>", f"<Visit>{SECRET}").replace("<Patient>", '<Patient kind="x">')
    lines = "\n".join(told(text.replace("<ItemCode>CT0203<", "<ItemCode> <", 1)))
    assert "不能带属性" in lines
    assert "只能有子元素" in lines
    assert "不能为空" in lines


def test_what_the_gateway_mends_is_no_mistake(gateway, tmp_path):
    file = tmp_path / "request.xml"
    file.write_text(sample().replace("<SentAt>", "<SentAt> "), encoding="gb18030")
    assert gateway("explain", file).code == 0


def test_what_the_schema_lets_pass_and_the_gateway_does_not_is_a_mistake_too(told):
    (line,) = told(sample().replace("<SentAt>2026", "<SentAt>0000"))
    assert line.startswith("Request/Header/SentAt")


def test_a_request_in_another_namespace_is_told_the_right_one(told):
    (line,) = told(sample().replace("<Visit>", '<Visit xmlns="urn:else">', 1))
    assert line.startswith("Request/Visit: 命名空间不对")
    assert line.endswith('expected: xmlns="urn:hospital-gateway:v1"')


def test_a_namespace_near_ours_is_no_mistake(gateway, tmp_path):
    file = tmp_path / "request.xml"
    file.write_text(sample().replace("<Visit>", '<Visit xmlns="http://tempuri.org/">', 1), encoding="utf-8")
    assert gateway("explain", file).code == 0


def test_an_element_at_the_wrong_place_is_told_the_order(told):
    before, _, rest = sample().partition("<Patient>")
    patient, _, after = rest.partition("</Patient>")
    after = after.replace("</Visit>", f"</Visit><Patient>{patient}</Patient>")
    (line,) = told(before + after)
    assert "位置不对" in line
    assert "Patient, Visit" in line


@pytest.mark.parametrize("text", ["", "no XML", "<a/>", "{}"])
def test_what_is_no_soap_request_is_refused_in_one_line(gateway, tmp_path, text):
    file = tmp_path / "request.xml"
    file.write_text(text)
    said = gateway("explain", file)
    assert (said.code, said.out) == (1, "")
    assert "request.xml: 报文不符合接口规范。" in said.mistake or "信封" in said.mistake


def test_an_unknown_operation_is_answered_with_the_known_ones_name(gateway, tmp_path):
    file = tmp_path / "request.xml"
    file.write_text(
        sample()
        .replace("SubmitRequisition>", "SubmitRequisitions>")
        .replace("<SubmitRequisition ", "<SubmitRequisitions ")
    )
    assert "Is it SubmitRequisition?" in gateway("explain", file).mistake


def test_a_file_that_is_not_there_is_a_wrong_command(gateway, tmp_path):
    assert gateway("explain", tmp_path / "none.xml").code == 2
