"""What is said about a table as a whole: contradictions, copies, gaps, and codes that have no row."""

from datetime import date

import pytest
from mapping_tables import TODAY

from gateway.codes.findings import Kind, check
from gateway.codes.lines import Line
from gateway.model.code_table import Direction

SPRING, SUMMER, AUTUMN, WINTER = (date(2026, month, 1) for month in (3, 6, 9, 12))


def found(*lines: Line, known: dict[str, str] | None = None) -> list[tuple[Kind, str]]:
    return [(finding.kind, finding.code) for finding in check(lines, TODAY, known)]


def test_a_good_table_has_nothing_to_say():
    assert found(Line("1", "M"), Line("2", "F"), Line("9", "U", direction=Direction.OUT)) == []


def test_one_of_ours_with_two_of_theirs_is_a_contradiction():
    assert found(Line("1", "M"), Line("1", "X")) == [(Kind.CONTRADICTION, "1")]
    assert Kind.CONTRADICTION.stops


@pytest.mark.parametrize(
    "second",
    [
        Line("1", "X", direction=Direction.IN),
        Line("1", "X", preferred=True),
        Line("1", "X", valid_from=WINTER),
    ],
)
def test_it_is_none_when_it_is_clear_which_is_meant(second: Line):
    assert found(Line("1", "M", valid_to=WINTER), second) == []


def test_it_is_one_although_only_some_days_overlap():
    lines = (Line("1", "M", valid_to=AUTUMN), Line("1", "X", valid_from=SUMMER))
    (finding,) = check(lines, TODAY)
    assert (finding.kind, "from 2026-06-01" in finding.text) == (Kind.CONTRADICTION, True)


def test_the_same_code_written_in_two_ways_is_the_same():
    assert found(Line("0577", "A"), Line("０５７７ ", "B")) == [(Kind.CONTRADICTION, "0577")]


def test_several_of_ours_for_one_of_theirs_is_allowed_and_said_when_none_is_preferred():
    assert found(Line("1", "M"), Line("2", "M")) == [(Kind.AMBIGUOUS, "M")]
    assert found(Line("1", "M", preferred=True), Line("2", "M")) == []
    assert not Kind.AMBIGUOUS.stops


def test_the_same_said_twice_for_the_same_days_is_a_duplicate():
    assert found(Line("1", "M", note="a"), Line("1", "M", note="b")) == [(Kind.DUPLICATE, "1")]


def test_days_without_a_row_are_a_gap():
    lines = (Line("1", "M", valid_to=SPRING), Line("1", "N", valid_from=SUMMER))
    (finding,) = check(lines, TODAY)
    assert (finding.kind, finding.text) == (Kind.GAP, "It has no row from 2026-03-01 until 2026-06-01.")


def test_a_code_of_which_no_row_counts_today_is_said():
    assert found(Line("1", "M", valid_to=AUTUMN)) == [(Kind.NOT_TODAY, "1")]
    assert found(Line("1", "M", valid_from=WINTER)) == [(Kind.NOT_TODAY, "1")]


def test_codes_of_the_hospital_s_list_without_a_row_are_named():
    lines = (Line("1", "M"), Line("2", "F", direction=Direction.IN))
    assert found(*lines, known={"1": "1", "2": "２", "9": "9"}) == [(Kind.NO_ROW, "２"), (Kind.NO_ROW, "9")]
