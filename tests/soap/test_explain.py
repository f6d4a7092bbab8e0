"""A refused message says what is wrong, where, and what is allowed, and never what the patient's data were."""

from __future__ import annotations

import copy
import threading

import pytest
import xmlschema
from lxml import etree

from gateway.contract import NAMESPACE, Contract
from gateway.errors import InvalidMessage
from gateway.soap.expectations import form_of
from gateway.soap.explain import explain, normalise, unknown_operation

CONTRACT = Contract()
ORACLE = xmlschema.XMLSchema(str(CONTRACT.folder / "xsd" / "gateway.xsd"))
OPERATIONS = [operation.name for operation in CONTRACT.operations]
NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
SECRET = "王秘密𠮷"


def sample(operation="SubmitRequisition") -> etree._Element:
    return etree.parse(CONTRACT.sample(operation)).getroot()[0][0]


def at(wrapper: etree._Element, path: str) -> etree._Element:
    """An element by the path a refusal gives: Request/Items/Item[2]."""
    steps = "/".join(f"g:{step}" for step in path.split("/"))
    [found] = wrapper.xpath(steps, namespaces={"g": NAMESPACE})
    return found


def with_text(path: str, text: str, operation="SubmitRequisition") -> etree._Element:
    wrapper = sample(operation)
    at(wrapper, path).text = text
    return wrapper


def without(path: str, operation="SubmitRequisition") -> etree._Element:
    wrapper = sample(operation)
    element = at(wrapper, path)
    element.getparent().remove(element)
    return wrapper


def refusal(wrapper: etree._Element) -> InvalidMessage:
    """What a partner is told about a message that fails the schema; the same rules hold for every refusal."""
    assert not CONTRACT.schema.validate(wrapper)
    told = explain(CONTRACT, wrapper)
    for text in (told.text_zh, told.text_en, told.path, told.expected):
        assert len(text) <= 500
        assert "{" not in text.replace("{2,3}", "").replace("{64}", "")
        assert SECRET not in text
    assert told.code == "SYS-400"
    return told


# --- Elements that are missing, unknown, or at the wrong place --------------------------------------------------------


def test_a_missing_element_is_named_in_chinese_and_english():
    told = refusal(without("Request/RequisitionNo"))
    assert (told.path, told.expected) == ("Request/RequisitionNo", "RequisitionNo")
    assert "缺少必填元素：申请单号（RequisitionNo）。" in told.text_zh
    assert "Missing required element: RequisitionNo (申请单号)." in told.text_en


def test_all_missing_elements_of_a_block_are_named_at_once():
    wrapper = without("Request/Items/Item[2]/Quantity")
    at(wrapper, "Request/Items/Item[2]").remove(at(wrapper, "Request/Items/Item[2]/ItemName"))
    told = refusal(wrapper)
    assert told.path == "Request/Items/Item[2]/ItemName"
    told = refusal(without("Request/Items"))
    assert told.expected == "Items"


def test_an_empty_list_misses_its_first_entry():
    wrapper = sample()
    at(wrapper, "Request/Items")[:] = []
    told = refusal(wrapper)
    assert (told.path, told.expected) == ("Request/Items/Item", "Item")
    assert "申请项目（Item）" in told.text_zh


def test_a_misspelt_element_gets_a_suggestion():
    wrapper = sample()
    at(wrapper, "Request/RequisitionNo").tag = f"{{{NAMESPACE}}}RequistionNo"
    told = refusal(wrapper)
    assert (told.path, told.expected) == ("Request/RequistionNo", "RequisitionNo")
    assert "没有元素 RequistionNo。是否应为 RequisitionNo？" in told.text_zh
    assert "has no element RequistionNo. Is it RequisitionNo?" in told.text_en


def test_an_unknown_element_is_answered_with_what_may_stand_there():
    wrapper = sample()
    at(wrapper, "Request/Patient/BirthDate").addnext(etree.Element(f"{{{NAMESPACE}}}Nation"))
    told = refusal(wrapper)
    assert told.path == "Request/Patient/Nation"
    assert told.expected == "AgeText | IdType | IdNo | Phone | Address | MotherPatientId"


def test_a_very_long_unknown_name_is_cut():
    wrapper = sample()
    at(wrapper, "Request/Action").tag = f"{{{NAMESPACE}}}{'A' * 5000}"
    assert refusal(wrapper).path == f"Request/{'A' * 64}"


def test_elements_in_the_wrong_order_are_told_where_they_belong():
    wrapper = sample()
    at(wrapper, "Request/Visit").addnext(at(wrapper, "Request/RequisitionNo"))
    told = refusal(wrapper)
    assert told.path == "Request/RequisitionType"
    assert "申请单类型（RequisitionType）的位置不对，应在申请单号（RequisitionNo）之后。" in told.text_zh


def test_an_optional_element_that_comes_too_late_is_told_where_it_belongs():
    wrapper = sample()
    at(wrapper, "Request/Items").addnext(at(wrapper, "Request/Purpose"))
    told = refusal(wrapper)
    assert told.path == "Request/Purpose"
    assert "Purpose (检查目的) is out of order: it belongs before Allergy (过敏史)." in told.text_en
    assert told.expected == "CancelReason"


def test_a_repeated_element_may_occur_only_once():
    wrapper = sample()
    action = at(wrapper, "Request/Action")
    action.addnext(copy.deepcopy(action))
    told = refusal(wrapper)
    assert "操作（Action）只能出现一次。" in told.text_zh
    assert told.expected == "RequisitionNo"


def test_a_list_with_too_many_entries_names_its_limit():
    wrapper = sample()
    diagnoses = at(wrapper, "Request/Diagnoses")
    diagnoses.extend(copy.deepcopy(diagnoses[0]) for _ in range(19))
    told = refusal(wrapper)
    assert told.path == "Request/Diagnoses/Diagnosis[21]"
    assert "最多 20 个诊断（Diagnosis）" in told.text_zh
    assert told.expected == "Diagnosis: 1..20"


@pytest.mark.parametrize("namespace", ["", "{http://tempuri.org/}", "{urn:hospital-gateway:v2}"])
def test_an_element_without_our_namespace_is_told_the_namespace(namespace):
    wrapper = sample()
    at(wrapper, "Request/RequisitionNo").tag = f"{namespace}RequisitionNo"
    told = refusal(wrapper)
    assert told.path == "Request/RequisitionNo"
    assert "申请单号（RequisitionNo）的命名空间不对" in told.text_zh
    assert told.expected == 'xmlns="urn:hospital-gateway:v1"'


def test_the_wrapper_in_another_namespace_is_told_the_namespace():
    wrapper = sample()
    wrapper.tag = "{http://tempuri.org/}SubmitRequisition"
    told = refusal(wrapper)
    assert "提交电子申请单（SubmitRequisition）的命名空间不对" in told.text_zh


def test_an_unknown_operation_is_answered_with_all_operations():
    wrapper = sample()
    wrapper.tag = f"{{{NAMESPACE}}}SubmitRequisitions"
    told = refusal(wrapper)
    assert told.expected == " | ".join(OPERATIONS)
    assert "没有操作 SubmitRequisitions。是否应为 SubmitRequisition？" in told.text_zh


def test_an_answer_sent_as_a_request_is_no_operation():
    told = unknown_operation(CONTRACT, etree.Element(f"{{{NAMESPACE}}}ChargeItemResponse"))
    assert "没有操作 ChargeItemResponse" in told.text_zh


def test_a_wrapper_without_request_misses_it():
    told = refusal(without("Request"))
    assert (told.path, told.expected) == ("Request", "Request")


def test_two_requests_in_one_wrapper_are_one_too_many():
    wrapper = sample()
    wrapper.append(copy.deepcopy(wrapper[0]))
    assert "请求（Request）只能出现一次。" in refusal(wrapper).text_zh


# --- Values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "value", "words", "expected"),
    [
        ("Request/Action", SECRET, "的取值不在允许范围内", "NEW 新增 | UPDATE 修改或告知缴费 | CANCEL 取消"),
        ("Request/Patient/SexCode", "男", "性别代码（SexCode）的取值不", "0 未知 | 1 男 | 2 女 | 9 未说明"),
        ("Request/RequisitionNo", SECRET, "只能用半角可见字符，不能有空格或中文", "1..50 visible ASCII characters"),
        ("Request/RequisitionNo", "A 1", "申请单号（RequisitionNo）只能用半角", "1..50 visible ASCII characters"),
        ("Request/RequisitionNo", "A" * 51, "过长", "1..50 visible ASCII characters"),
        ("Request/Visit/FeeType", SECRET * 9, "费别（FeeType）过长", "1..4 characters"),
        ("Request/Patient/IdType", "身份证", "证件类型（IdType）的格式不对", "[0-9]{2,3}"),
        ("Request/Items/Item[2]/ItemSeq", "0", "小于允许的最小值", "integer 1..999999999"),
        ("Request/Items/Item[2]/ItemSeq", "1.5", "不是整数", "integer 1..999999999"),
        ("Request/Items/Item[2]/Quantity", "1,000", "不是数字", "decimal >= 0, at most 16 digits, 4 after the point"),
        ("Request/Items/Item[2]/Quantity", "1E3", "科学计数法", "decimal >= 0, at most 16 digits, 4 after the point"),
        ("Request/Items/Item[2]/Quantity", "NaN", "不是数字", "decimal >= 0, at most 16 digits, 4 after the point"),
        (
            "Request/Items/Item[2]/Quantity",
            "-1",
            "小于允许的最小值",
            "decimal >= 0, at most 16 digits, 4 after the point",
        ),
        (
            "Request/Items/Item[2]/Quantity",
            "1.23456",
            "的小数位数过多",
            "decimal >= 0, at most 16 digits, 4 after the point",
        ),
        ("Request/Items/Item[3]/Amount", "9" * 17, "的位数过多", "decimal, at most 16 digits, 2 after the point"),
        ("Request/Patient/BirthDate", "1968/4/17", "出生日期（BirthDate）不是有效日期", "YYYY-MM-DD"),
        ("Request/Patient/BirthDate", "2026-02-30", "不是有效日期", "YYYY-MM-DD"),
        ("Request/OrderedAt", "2026-11-16 09:05", "不是有效的日期时间", "YYYY-MM-DDThh:mm:ss"),
        ("Request/Pregnant", "否", "不是布尔值", "true | false"),
    ],
)
def test_a_wrong_value_is_explained_by_what_is_allowed(path, value, words, expected):
    told = refusal(with_text(path, value))
    assert told.path == path
    assert words in told.text_zh
    assert told.expected == expected


@pytest.mark.parametrize("path", ["Request/RequisitionNo", "Request/OrderedAt", "Request/Action", "Request/Priority"])
@pytest.mark.parametrize("text", ["", " \n "])
def test_a_required_element_may_not_be_empty(path, text):
    wrapper = with_text(path, text)
    normalise(CONTRACT, wrapper)
    told = refusal(wrapper)
    assert told.path == path
    assert "不能为空" in told.text_zh


def test_a_broken_attachment_is_not_repeated():
    told = refusal(with_text("Request/ReportFiles/ReportFile[1]/Sha256", SECRET, "SubmitReport"))
    assert told.expected == "[0-9a-fA-F]{64}"
    told = refusal(with_text("Request/KeyImages/KeyImage[1]/Content", "===", "SubmitReport"))
    assert told.expected == "base64"


def test_required_nil_needs_a_value():
    wrapper = sample()
    at(wrapper, "Request/Action").set(NIL, "true")
    told = refusal(wrapper)
    assert "操作（Action）不能用 xsi:nil 表示为空" in told.text_zh


@pytest.mark.parametrize("path", ["Request/Action", "Request/Patient", "Request"])
@pytest.mark.parametrize("attribute", ["id", "{urn:else}kind", TYPE])
def test_an_attribute_has_no_place_in_a_message(path, attribute):
    wrapper = sample()
    at(wrapper, path).set(attribute, SECRET)
    told = refusal(wrapper)
    assert told.path == path
    assert "不能带属性" in told.text_zh
    assert told.expected == "no attributes"


def test_text_where_elements_belong_is_not_repeated():
    told = refusal(with_text("Request/Visit", SECRET))
    assert told.path == "Request/Visit"
    assert "就诊信息（Visit）内只能有子元素，不能有文字。" in told.text_zh


def test_elements_where_a_value_belongs_are_refused():
    wrapper = sample()
    etree.SubElement(at(wrapper, "Request/ClinicalSummary"), f"{{{NAMESPACE}}}br")
    told = refusal(wrapper)
    assert told.path == "Request/ClinicalSummary"
    assert "病情摘要（ClinicalSummary）内只能是值" in told.text_zh


# --- Every field of every sample, compared with another validator -----------------------------------------------------


def oracle_path(wrapper: etree._Element) -> str:
    """Where xmlschema, written by other people in another language, sees the mistake."""
    error = next(ORACLE.iter_errors(wrapper))
    steps = []
    element = error.elem
    while element is not wrapper:
        steps.append(etree.QName(element).localname)
        element = element.getparent()
    return "/".join(reversed(steps))


def plain(path: str) -> str:
    return "/".join(step.partition("[")[0] for step in path.split("/"))


@pytest.mark.parametrize("operation", OPERATIONS)
def test_each_element_left_out_is_accepted_or_named(operation):
    for element in list(sample(operation).iter()):
        wrapper = sample(operation)
        path = element.getroottree().getelementpath(element).partition(f"{operation}/")[2]
        if not path:
            continue
        victim = wrapper.find(path)
        name, parent = etree.QName(victim).localname, victim.getparent()
        parent.remove(victim)
        if not CONTRACT.schema.validate(wrapper):
            told = refusal(wrapper)
            assert plain(told.path).endswith(name)
            assert plain(told.path).startswith(oracle_path(wrapper))


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("value", [SECRET * 20, "", "-1.23456789"], ids=["text", "empty", "number"])
def test_each_wrong_value_is_accepted_or_found_where_another_validator_finds_it(operation, value):
    leaves = [one for one in sample(operation).iter() if len(one) == 0]
    for number in range(len(leaves)):
        wrapper = sample(operation)
        leaf = [one for one in wrapper.iter() if len(one) == 0][number]
        leaf.text = value
        if not CONTRACT.schema.validate(wrapper):
            told = refusal(wrapper)
            assert plain(told.path) == oracle_path(wrapper)
            assert told.expected


def test_a_large_message_is_explained_as_well():
    wrapper = sample("SubmitReport")
    at(wrapper, "Request/Findings").text = "所见" * 200_000
    at(wrapper, "Request/SeriesCount").text = SECRET
    told = refusal(wrapper)
    assert told.path == "Request/SeriesCount"


def test_threads_that_ask_at_once_are_not_told_each_others_mistakes():
    paths = ["Request/Action", "Request/RequisitionNo", "Request/OrderedAt", "Request/Priority"]
    told: list[tuple[str, str]] = []

    def ask(path: str) -> None:
        for _ in range(50):
            told.append((path, explain(CONTRACT, with_text(path, "")).path))

    threads = [threading.Thread(target=ask, args=(path,)) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == 200
    assert all(asked == answered for asked, answered in told)


def test_answers_of_partners_are_explained_too():
    text = f'<QueryTransactionResponse xmlns="{NAMESPACE}"><Response><Result/></Response></QueryTransactionResponse>'
    told = refusal(etree.fromstring(text))
    assert told.path == "Response/Result/ResultCode"
    assert "结果代码（ResultCode）" in told.text_zh


def test_a_good_message_has_nothing_to_explain():
    assert explain(CONTRACT, sample()).path == ""


# --- Mending what old clients write for "nothing here" ----------------------------------------------------------------


@pytest.mark.parametrize("path", ["Request/Visit/BedNo", "Request/Patient/BirthDate", "Request/Diagnoses"])
@pytest.mark.parametrize("text", [None, "", " \r\n\t"])
def test_an_empty_optional_element_is_absent(path, text):
    wrapper = sample()
    element = at(wrapper, path)
    element[:] = []
    element.text = text
    assert not CONTRACT.schema.validate(wrapper)
    assert normalise(CONTRACT, wrapper)
    CONTRACT.schema.assertValid(wrapper)
    assert wrapper.find(".//" + element.tag) is None


def test_a_nil_optional_element_is_absent():
    wrapper = sample()
    element = at(wrapper, "Request/Patient/Phone")
    element.text, _ = None, element.set(NIL, "true")
    assert normalise(CONTRACT, wrapper)
    CONTRACT.schema.assertValid(wrapper)


def test_nil_false_says_nothing_and_the_value_stays():
    wrapper = sample()
    at(wrapper, "Request/Patient/Phone").set(NIL, "false")
    assert normalise(CONTRACT, wrapper)
    CONTRACT.schema.assertValid(wrapper)
    assert at(wrapper, "Request/Patient/Phone").text == "19900000001"


def test_a_nil_element_with_a_value_is_refused_rather_than_lost():
    wrapper = sample()
    at(wrapper, "Request/Patient/Phone").set(NIL, "true")
    normalise(CONTRACT, wrapper)
    assert refusal(wrapper).path == "Request/Patient/Phone"


def test_text_after_an_empty_element_is_refused_rather_than_lost():
    wrapper = sample()
    element = at(wrapper, "Request/Patient/Phone")
    element.text, element.tail = None, SECRET
    normalise(CONTRACT, wrapper)
    assert refusal(wrapper).path == "Request/Patient"


@pytest.mark.parametrize("path", ["Request/OrderedAt", "Request/Patient/BirthDate", "Request/Header/SentAt"])
def test_white_space_around_a_date_is_taken_away(path):
    wrapper = sample()
    element = at(wrapper, path)
    element.text = f"\n  {element.text} "
    assert not CONTRACT.schema.validate(wrapper)
    assert normalise(CONTRACT, wrapper)
    CONTRACT.schema.assertValid(wrapper)


def test_required_elements_and_unknown_ones_are_left_alone():
    wrapper = with_text("Request/RequisitionNo", "")
    at(wrapper, "Request/Patient").append(etree.Element(f"{{{NAMESPACE}}}Nation"))
    before = etree.tostring(wrapper)
    assert not normalise(CONTRACT, wrapper)
    assert etree.tostring(wrapper) == before


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_good_message_is_not_touched(operation):
    wrapper = sample(operation)
    assert not normalise(CONTRACT, wrapper)


def test_a_message_of_another_contract_is_not_touched():
    assert not normalise(CONTRACT, etree.fromstring("<a><b/></a>"))


def test_a_share_is_told_with_both_its_bounds():
    contract = Contract()
    (field,) = [f for f in contract.message_types["RefundLine"].fields if f.name == "RefundShare"]
    assert form_of(contract, field) == "decimal >= 0.0001 <= 1, 4 after the point"
