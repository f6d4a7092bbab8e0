"""How amounts, days and identifiers are written in the lists hospitals export, and what they mean."""

from __future__ import annotations

import re
import unicodedata
from datetime import date, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")
LARGEST = Decimal("99999999999999.99")
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2099, 12, 31)
EXCEL_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 - a spreadsheet's time has no zone

_AMOUNT = re.compile(r"(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?")
_SIGNED = re.compile(r"[+-]?([\d.,]+)|([\d.,]+)-|\(([\d.,]+)\)")
_DAY = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?|(\d{4})(\d{2})(\d{2})")
_TIME = re.compile(
    r"[T ]?(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?(Z|[+-]\d{2}:?\d{2})?|(\d{2})(\d{2})(\d{2})?|"
    r"[T ]?(\d{1,2})[时時點点](\d{1,2})分(?:(\d{1,2})秒)?"
)
_LEADING = "".join(("'", "‘", "`", "\ufeff"))


class ValueProblem(ValueError):
    """What is written in a cell is not what its column holds; the text says what is expected, in both languages."""

    def __init__(self, chinese: str, english: str) -> None:
        super().__init__(f"{english} {chinese}")


def text_of(cell: object) -> str:
    """A cell as plain text: full-width forms made half-width, no white space around, no leading apostrophe."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return unicodedata.normalize("NFKC", str(cell)).strip().lstrip(_LEADING).strip()


def amount_of(cell: object) -> Decimal:
    """An amount with its sign, rounded once, half up. `1,234.50`, `￥12.00`, `(12.00)` and `12.00-` are understood."""
    if isinstance(cell, (int, float, Decimal)) and not isinstance(cell, bool):
        return _checked(Decimal(str(cell)))
    text = text_of(cell).replace("−", "-")
    for sign in ("¥", "CNY", "RMB", "元"):
        text = text.replace(sign, "")
    text = text.replace(" ", "")
    found = _SIGNED.fullmatch(text)
    plain = next((part for part in found.groups() if part), "") if found is not None else ""
    if not plain.strip(".") or _AMOUNT.fullmatch(plain) is None:
        raise _no_amount()
    value = _checked(Decimal(plain.replace(",", "")))
    return value if text[0] not in "-(" and text[-1] != "-" else -value


def _checked(value: Decimal) -> Decimal:
    if not value.is_finite() or abs(value) > LARGEST:
        raise _no_amount()
    return value.quantize(CENT, ROUND_HALF_UP)


def _no_amount() -> ValueProblem:
    return ValueProblem("应为金额，例如 1,234.50。", "An amount is expected, such as 1,234.50.")


def moment_of(cell: object, zone: timezone) -> tuple[date, datetime | None]:
    """The day in hospital time, and the moment where the cell tells it.

    `2026-11-24`, `2026/11/24 8:05`, `20261124235958`, `2026年11月24日`, with or without a zone, and spreadsheet dates.
    """
    if isinstance(cell, datetime):
        return _moment(cell, zone)
    if isinstance(cell, date):
        return _sane(cell), None
    if isinstance(cell, float) or (isinstance(cell, int) and 36526 <= cell <= 73050):  # days since 1900
        if not 36526 <= cell <= 73051:
            raise _no_day()
        counted = EXCEL_EPOCH + timedelta(days=float(cell))
        return (_sane(counted.date()), None) if float(cell).is_integer() else _moment(counted, zone)
    text = text_of(cell)
    found = _DAY.match(text)
    if found is None:
        raise _no_day()
    try:
        day = date(*(int(part) for part in found.groups() if part is not None))
        rest = text[found.end() :].strip()
        return _moment(_at(day, rest, zone), zone) if rest else (_sane(day), None)
    except ValueError:
        raise _no_day() from None


def _at(day: date, rest: str, zone: timezone) -> datetime:
    found = _TIME.fullmatch(rest)
    if found is None:
        raise _no_day()
    parts = [part for part in (found.groups()[:3] if found[1] else found.groups()[5:]) if part is not None]
    hour, minute, second = (int(part) for part in (*parts, "0")[:3])
    at = datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=zone)
    if found[4]:
        at = at.replace(microsecond=int(found[4][:6].ljust(6, "0")))
    if found[5]:
        return datetime.fromisoformat(at.replace(tzinfo=None).isoformat() + found[5])
    return at


def _moment(at: datetime, zone: timezone) -> tuple[date, datetime]:
    own = at.replace(tzinfo=zone) if at.tzinfo is None else at.astimezone(zone)
    return _sane(own.date()), own


def _sane(day: date) -> date:
    if not FIRST_DAY <= day <= LAST_DAY:
        raise _no_day()
    return day


def _no_day() -> ValueProblem:
    return ValueProblem("应为日期，例如 2026-11-24 08:05:00。", "A day is expected, such as 2026-11-24 08:05:00.")
