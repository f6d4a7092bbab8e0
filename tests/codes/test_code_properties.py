"""Whatever a table holds: what is said of it before it counts is what it answers when it does."""

from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.codes.findings import Kind, check
from gateway.codes.lines import Line, Lookup, key_of
from gateway.model.code_table import Direction

BEGIN = date(2026, 1, 1)
DAYS = [BEGIN + timedelta(days=number) for number in range(8)]
CODES = st.sampled_from(["1", "01", "１", "2"])
DAY = st.one_of(st.none(), st.sampled_from(DAYS))


def a_line(ours: str, theirs: str, direction: Direction, preferred: bool, begin: date | None, end: date | None) -> Line:
    if begin is not None and end is not None and end <= begin:
        begin, end = end, begin if end < begin else None
    return Line(ours, theirs, direction=direction, preferred=preferred, valid_from=begin, valid_to=end)


LINES = st.lists(
    st.builds(a_line, CODES, st.sampled_from("ABC"), st.sampled_from(Direction), st.booleans(), DAY, DAY), max_size=6
)


def counting(lines: list[Line], code: str, day: date, *, outbound: bool) -> list[Line]:
    return [
        line
        for line in lines
        if line.is_read(outbound=outbound)
        and key_of(line.code(outbound=outbound)) == key_of(code)
        and line.begins <= day < line.ends
    ]


@settings(max_examples=300, deadline=None)
@given(LINES, st.booleans())
def test_a_table_without_contradiction_answers_every_code_on_every_day_a_row_counts(lines: list[Line], outbound: bool):
    lookup = Lookup(lines)
    clash = Kind.CONTRADICTION if outbound else Kind.AMBIGUOUS
    clashing = {key_of(found.code) for found in check(lines, BEGIN) if found.kind is clash}
    for code in {line.code(outbound=outbound) for line in lines}:
        answers = [lookup.find(key_of(code), outbound=outbound, on=day) for day in DAYS]
        valid = [counting(lines, code, day, outbound=outbound) for day in DAYS]
        unclear = [bool(rows) and answer is None for rows, answer in zip(valid, answers, strict=True)]
        assert any(unclear) <= (key_of(code) in clashing)
        for rows, answer in zip(valid, answers, strict=True):
            assert answer is None or answer in {line.code(outbound=not outbound) for line in rows}
            assert lookup.has(key_of(code), outbound=outbound, on=DAYS[0]) == bool(valid[0])


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=12))
def test_the_key_of_a_code_is_its_own_key_and_keeps_its_zeros(text: str):
    key = key_of(text)
    assert key_of(key) == key
    assert key_of(f" {key}\u3000") == key
    assert key_of(f"0{text}") != key
