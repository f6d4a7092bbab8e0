"""Identity card numbers are read as they are printed, and what does not fit the patient is said without a value."""

from datetime import date

import pytest

from gateway import identity
from gateway.terms import SexCode

TODAY = date(2026, 11, 16)
MAN = "99999919680417001X"
WOMAN = "999999199212250028"
OLD_MAN = "999999680417001"


def doubts(number, id_type="01", sex=SexCode.MALE, birth=date(1968, 4, 17)):
    return identity.doubts(number, id_type, sex_code=sex, birth_date=birth, today=TODAY)


@pytest.mark.parametrize(
    ("digits", "last"),
    [("99999919680417001", "X"), ("99999919921225002", "8"), ("11010519491231002", "X"), ("44052418800101001", "4")],
)
def test_the_last_character_follows_from_the_others(digits, last):
    assert identity.check_character(digits) == last


@pytest.mark.parametrize(
    "number", [MAN, MAN.lower(), "９９９９９９１９６８０４１７００１Ｘ", "999999 19680417 001x", OLD_MAN]
)
def test_a_number_is_read_however_it_is_written(number):
    card = identity.read_card(number)
    assert card == identity.Card(date(1968, 4, 17), SexCode.MALE, is_sound=True)
    assert doubts(number) == []


@pytest.mark.parametrize("number", ["", "E12345678", "99999919680417001", "99999919680417001XX", "99999919680417X011"])
def test_what_is_no_identity_card_is_not_read(number):
    assert identity.read_card(number) is None


@pytest.mark.parametrize(
    ("number", "said"),
    [
        ("999999196804170011", "校验码"),
        ("999999", "格式"),
        ("99999919681317001X", "不存在"),
        (MAN.replace("1968", "2068"), "不存在"),
        ("999999680230001", "不存在"),
        (WOMAN, "出生日期不一致"),
        (WOMAN, "性别不一致"),
    ],
)
def test_what_does_not_fit_is_said(number, said):
    assert any(said in doubt for doubt in doubts(number))


@pytest.mark.parametrize("sex", [SexCode.UNKNOWN, SexCode.NOT_STATED])
def test_what_is_not_stated_is_not_compared(sex):
    assert doubts(WOMAN, sex=sex, birth=None) == []


@pytest.mark.parametrize("id_type", ["02", "03", "06", "07", "99"])
def test_other_documents_are_not_read(id_type):
    assert doubts("E12345678", id_type) == doubts(WOMAN, id_type) == []


def test_without_a_kind_only_what_looks_like_a_card_is_read():
    assert doubts("E12345678", None) == []
    assert len(doubts(WOMAN, None)) == 2


def test_no_doubt_repeats_a_digit():
    assert not any(character.isdigit() for doubt in doubts("999999199212250027") for character in doubt)
