"""Reads identity card numbers (身份证号, GB 11643) and says what in them does not fit the patient they came with."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date

from gateway.terms import SexCode

IDENTITY_CARD = "01"
"""The IdType (CV02.01.101) of an identity card."""
_CARD = re.compile(r"(\d{6})(\d{8})\d{3}[\dX]", re.ASCII)
_OLD_CARD = re.compile(r"(\d{6})(\d{6})\d{3}", re.ASCII)
_WEIGHTS = tuple(pow(2, place, 11) for place in range(17, 0, -1))
_CHECK_CHARACTERS = "10X98765432"


@dataclass(frozen=True, slots=True)
class Card:
    """What an identity card number says."""

    birth_date: date | None
    """None when the number holds no day of the calendar."""
    sex_code: SexCode
    is_sound: bool
    """Whether the check character fits; the old numbers of 15 digits have none."""


def plain(number: str) -> str:
    """The number as it is printed: half width, without spaces, with a capital X."""
    return "".join(unicodedata.normalize("NFKC", number).split()).upper()


def read_card(number: str) -> Card | None:
    """What the number says, with 18 characters or the 15 of before 1999; None when it is no identity card number."""
    number = plain(number)
    if found := _CARD.fullmatch(number):
        return Card(_day(found[2]), _sex(number[16]), check_character(number) == number[17])
    if found := _OLD_CARD.fullmatch(number):
        return Card(_day("19" + found[2]), _sex(number[14]), is_sound=True)
    return None


def check_character(number: str) -> str:
    """The last character that belongs to the first seventeen digits (ISO 7064 MOD 11-2)."""
    total = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, number, strict=False))
    return _CHECK_CHARACTERS[total % 11]


def doubts(
    number: str | None, id_type: str | None, *, sex_code: SexCode, birth_date: date | None, today: date
) -> list[str]:
    """What does not fit, in Chinese and English and without any value; nothing about passports and other documents.

    A number without IdType is taken for an identity card when it looks like one.
    """
    if number is None or id_type not in (None, IDENTITY_CARD):
        return []
    card = read_card(number)
    if card is None:
        return [] if id_type is None else ["身份证号格式不正确 (IdNo is no identity card number)"]
    found = [] if card.is_sound else ["身份证号校验码不正确 (the check character of IdNo is wrong)"]
    if card.birth_date is None or card.birth_date > today:
        found.append("身份证号中的出生日期不存在 (the birth date in IdNo cannot be)")
    elif birth_date is not None and birth_date != card.birth_date:
        found.append("身份证号与出生日期不一致 (IdNo and BirthDate differ)")
    if sex_code in (SexCode.MALE, SexCode.FEMALE) and sex_code is not card.sex_code:
        found.append("身份证号与性别不一致 (IdNo and SexCode differ)")
    return found


def _day(digits: str) -> date | None:
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))
    except ValueError:
        return None


def _sex(digit: str) -> SexCode:
    return SexCode.MALE if int(digit) % 2 else SexCode.FEMALE
