"""How a patient is shown to those who need not know who it is: 张*, 110105********002X, 138****5678.

The one way for everything that shows a person: records for insurers, lists, exports. What is forwarded to HIS, EMR or a
department is never masked: that is the patient's real data (docs/specification/records.md, "Masking").
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from functools import partial

STAR = "*"
_DOTS = "·•．・‧.‒-"
"""What people write between the parts of a name."""
_COMPOUND_SURNAMES = frozenset(
    re.findall(
        "..",
        "欧阳太史端木上官司马东方独孤南宫万俟闻人夏侯诸葛尉迟公羊赫连澹台皇甫宗政濮阳公冶太叔申屠公孙慕容仲孙钟离"
        "长孙宇文司徒鲜于司空闾丘子车亓官司寇巫马公西颛孙壤驷公良漆雕乐正宰父谷梁拓跋夹谷轩辕令狐段干百里呼延东郭"
        "南门羊舌微生梁丘左丘东门西门南荣第五歐陽諸葛司馬東方聞人赫連澹臺濮陽公孫鍾離長孫",
    )
)
_MOBILE = re.compile(r"(?:\+?86[- ]?)?(1\d{2})[- ]?\d{4}[- ]?(\d{4})")
_NO_TOWN = "[^省市区县旗路街道号村镇乡]"
_DISTRICT = re.compile(
    rf"(?:.{{2,8}}?(?:省|自治区|特别行政区))?"
    rf"(?:.{_NO_TOWN}{{1,9}}(?:市|自治州|盟|地区))?"
    rf"(?:.{_NO_TOWN}{{1,9}}(?:区|县|旗|市))?"
)
_ID_IN_TEXT = re.compile(r"(?<![0-9A-Za-z])[1-9]\d{5}(?:\d{8}|\d{11})[0-9Xx](?![0-9A-Za-z])")
_MOBILE_IN_TEXT = re.compile(r"(?<!\d)(?:\+?86[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}(?!\d)")


def name(value: str) -> str:
    """The surname alone; a compound surname stays whole if something follows it. Of a foreign name its first letter."""
    value = value.strip()
    if len(value) < 2:
        return STAR * len(value)
    kept = 2 if value[:2] in _COMPOUND_SURNAMES and len(value) > 2 else 1
    return value[:kept] + "".join(c if c in _DOTS or c.isspace() else STAR for c in value[kept:])


def id_no(value: str) -> str:
    """Of an identity card its first six and last four characters, of a shorter number as much less."""
    if len(value) >= 15:
        return _ends(value, 6, 4)
    return _ends(value, 1, 2) if len(value) >= 7 else STAR * len(value)


def phone(value: str) -> str:
    """138****5678; of a number that is no mobile's its last four digits."""
    found = _MOBILE.fullmatch(value.strip())
    if found:
        return f"{found[1]}{STAR * 4}{found[2]}"
    return _ends(value, 0, 4) if sum(c.isdigit() for c in value) >= 7 else STAR * len(value)


def address(value: str) -> str:
    """As far as the district; nothing of an address that does not begin with province, city or district."""
    found = _DISTRICT.match(value.strip())
    return (found[0] if found else "") + STAR * 4 if value.strip() else ""


def insurance_no(value: str) -> str:
    """Its last four characters."""
    return _ends(value, 0, 4) if len(value) >= 8 else STAR * len(value)


def scrubber(
    names: Iterable[str], id_nos: Iterable[str], phones: Iterable[str], *, shown: bool = True
) -> Callable[[str], str]:
    """A function that takes one person's name and numbers out of a free text.

    They are found however they are spaced, dotted or written in full width, and so are all other identity card and
    mobile numbers. In their place stands what `name`, `id_no` and `phone` show, or stars alone when not `shown`.
    """
    known = ((name, names), (id_no, id_nos), (phone, phones))
    rules = [
        (_spelled(value), mask)
        for mask, values in known
        for value in sorted(set(values), key=len, reverse=True)
        if _characters(value)
    ]
    rules += [(_ID_IN_TEXT, id_no), (_MOBILE_IN_TEXT, phone)]

    def scrub(text: str) -> str:
        for pattern, mask in rules:
            text = pattern.sub(partial(_replacement, mask) if shown else STAR * 3, text)
        return text

    return scrub


def _replacement(mask: Callable[[str], str], found: re.Match[str]) -> str:
    return mask(_plain(found[0]))


def _ends(value: str, head: int, tail: int) -> str:
    return value[:head] + STAR * (len(value) - head - tail) + value[-tail:]


def _plain(found: str) -> str:
    """What was found as it would be written by itself: half width, without the spaces inside a number."""
    text = unicodedata.normalize("NFKC", found)
    return re.sub(r"[\s-]", "", text) if any(c.isdigit() for c in text) else text


def _spelled(value: str) -> re.Pattern[str]:
    """The value with spaces, dots or hyphens between its characters, or in full width; a Latin word only as a word."""
    characters = _characters(value)
    inside = rf"[{re.escape(_DOTS)}\s]{{0,3}}".join(_any_width(c) for c in characters)
    edges = ("(?<![0-9A-Za-z])", "(?![0-9A-Za-z])") if all(c.isascii() for c in characters) else ("", "")
    return re.compile(f"{edges[0]}{inside}{edges[1]}", re.IGNORECASE)


def _characters(value: str) -> list[str]:
    return [c for c in value if c not in _DOTS and not c.isspace()]


def _any_width(character: str) -> str:
    """The character, or its full-width or otherwise compatible form."""
    forms = {character, unicodedata.normalize("NFKC", character)}
    forms |= {chr(ord(form) + 0xFEE0) for form in forms if "!" <= form <= "~"}
    return f"[{''.join(re.escape(form) for form in sorted(forms) if len(form) == 1)}]"
