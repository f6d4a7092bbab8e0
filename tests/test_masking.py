"""A person is shown so that who knows it recognises it, and who does not learns nothing."""

import pytest

from gateway import masking


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("张三", "张*"),
        ("张三丰", "张**"),
        ("欧阳娜娜", "欧阳**"),
        ("欧阳", "欧*"),
        ("𠮷田", "𠮷*"),
        ("买买提·艾力", "买**·**"),
        ("John Smith", "J*** *****"),
        ("王", "*"),
        (" ", ""),
    ],
)
def test_of_a_name_the_surname_is_left(name, shown):
    assert masking.name(name) == shown


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("11010519491231002X", "110105********002X"),
        ("110105491231002", "110105*****1002"),
        ("E12345678", "E******78"),
        ("123456", "******"),
        ("", ""),
    ],
)
def test_of_an_id_number_both_ends_are_left_of_a_short_one_nothing(number, shown):
    assert masking.id_no(number) == shown


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("13812345678", "138****5678"),
        ("+86 138-1234-5678", "138****5678"),
        ("0000-88880103", "*********0103"),
        ("12345", "*****"),
    ],
)
def test_of_a_phone_its_ends_are_left(number, shown):
    assert masking.phone(number) == shown


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("浙江省杭州市西湖区文三路1号", "浙江省杭州市西湖区****"),
        ("北京市朝阳区建国路88号", "北京市朝阳区****"),
        ("广西壮族自治区南宁市青秀区民族大道", "广西壮族自治区南宁市青秀区****"),
        ("济南市市中区经七路", "济南市市中区****"),
        ("西湖区文三路花市12号", "西湖区****"),
        ("221B Baker Street", "****"),
        ("", ""),
    ],
)
def test_an_address_ends_with_its_district(address, shown):
    assert masking.address(address) == shown


def test_of_an_insurance_number_the_end_is_left():
    assert [masking.insurance_no(number) for number in ("YB0000123456", "123")] == ["********3456", "***"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("患者王𠮷祥，男", "患者王**，男"),
        ("王 𠮷 祥诉胸痛", "王 * *诉胸痛"),
        ("身份证１１０１０５１９４９１２３１００２ｘ", "身份证110105********002x"),
        ("电话 138-1234-5678", "电话 138****5678"),
        ("其女电话13900001111", "其女电话139****1111"),
        ("条码 202611160001234567890", "条码 202611160001234567890"),
        ("王大夫查房，肌酐 138", "王大夫查房，肌酐 138"),
    ],
)
def test_a_free_text_loses_who_it_is_about(text, shown):
    scrub = masking.scrubber(["王𠮷祥"], ["11010519491231002X"], ["13812345678"])
    assert scrub(text) == shown


def test_a_foreign_name_is_found_as_a_word_and_however_it_is_dotted():
    assert masking.scrubber(["Li"], [], [])("LI took Lidocaine") == "L* took Lidocaine"
    assert masking.scrubber(["买买提·艾力"], [], [])("买买提艾力") == "买****"


def test_for_research_nothing_is_left():
    assert masking.scrubber(["王祥"], [], [], shown=False)("王祥，13812345678") == "***，***"


def test_a_name_without_letters_takes_nothing_out():
    assert masking.scrubber(["·", ""], [""], [])("胸痛") == "胸痛"
