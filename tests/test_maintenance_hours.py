"""The hours of partner.toml in which a partner is in maintenance."""

from datetime import datetime, timedelta, timezone

import pytest

from gateway.maintenance_hours import MaintenanceHours, going_on, refuse_endless

CHINA = timezone(timedelta(hours=8))


def at(text: str) -> datetime:
    """A moment of hospital time; 2026-11-28 is a Saturday."""
    return datetime.strptime(f"2026-11-{text}", "%Y-%m-%d %H:%M").replace(tzinfo=CHINA)


def end(moment: str, *words: str) -> str | None:
    """Until when the maintenance goes on that is going on at a moment."""
    found = going_on([MaintenanceHours.parse(word) for word in words], at(moment))
    return f"{found[1]:%d %H:%M}" if found else None


@pytest.mark.parametrize(
    ("moment", "until"), [("28 01:59", None), ("28 02:00", "28 03:30"), ("29 03:29", "29 03:30"), ("28 03:30", None)]
)
def test_every_night_has_its_hours(moment, until):
    assert end(moment, "02:00-03:30") == until


@pytest.mark.parametrize("word", ["Sun 01:00-05:00", "sunday 1:00 - 5:00", "周日 01:00-05:00", "星期天 01:00~05:00"])
def test_a_day_of_the_week_may_be_said_in_every_usual_way(word):
    assert [end(moment, word) for moment in ("28 02:00", "29 02:00", "30 02:00")] == [None, "29 05:00", None]


def test_hours_over_midnight_belong_to_the_day_they_begin_on():
    moments = ("28 22:59", "28 23:00", "29 00:00", "29 01:59", "29 02:00", "29 23:30")
    assert [end(moment, "Sat 23:00-02:00") for moment in moments] == [None, *["29 02:00"] * 3, None, None]


def test_several_days_are_a_list_or_a_span():
    assert [day for day in range(22, 29) if end(f"{day} 12:10", "Mon-Fri 12:00-12:30")] == [23, 24, 25, 26, 27]
    assert [day for day in range(22, 29) if end(f"{day} 12:10", "Fri-Sun, Tue 12:00-12:30")] == [22, 24, 27, 28]


def test_a_day_may_end_at_twenty_four():
    assert end("28 23:59", "22:00-24:00") == "29 00:00"
    assert [end(moment, "Sun 00:00-24:00") for moment in ("28 23:59", "29 00:00", "29 23:59", "30 00:00")] == [
        None,
        "30 00:00",
        "30 00:00",
        None,
    ]


def test_hours_that_follow_each_other_end_with_the_last():
    assert end("28 23:00", "22:00-24:00", "Sun 00:00-04:00", "Sun 03:00-05:00") == "29 05:00"


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("", "is written"),
        ("2-3", "is written"),
        ("02:00", "is written"),
        ("25:00-26:00", "25:00 is no time of day"),
        ("02:60-03:00", "02:60 is no time of day"),
        ("02:00-02:00", "another time than it begins"),
        ("24:00-01:00", "another time than it begins"),
        ("Son 01:00-05:00", "Son is no day of the week"),
        ("Mon-Tue-Wed 01:00-05:00", "is written"),
        ("02:00-03:30, 04:00-05:00", "is written"),
    ],
)
def test_nonsense_is_refused_with_what_is_wrong_with_it(word, why):
    with pytest.raises(ValueError, match=why):
        MaintenanceHours.parse(word)


def test_maintenance_without_an_end_is_refused():
    endless = [MaintenanceHours.parse(word) for word in ("00:00-12:00", "11:00-24:00")]
    with pytest.raises(ValueError, match="never ends"):
        refuse_endless(endless)
    refuse_endless(endless[:1])
    refuse_endless([])
