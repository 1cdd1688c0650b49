"""Working-time calendars: public holidays, make-up working days, and spans of open time against a slow reference."""

from datetime import date, datetime, time, timedelta
from itertools import pairwise

import chinese_calendar
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.routing.policy import BadPolicy, parse
from shared.calendar.spans import ZONE, Holidays, Hours, Span, load_holidays, spans

MINUTE = timedelta(minutes=1)
NONE = Holidays(date(2026, 12, 31), frozenset(), frozenset())
days = st.dates(date(2026, 1, 1), date(2026, 3, 31))


@st.composite
def hours(draw: st.DrawFn) -> Hours:
    opens = draw(st.integers(0, 24 * 60 - 1))
    return Hours(opens, draw(st.integers(opens + 1, 24 * 60)), draw(st.booleans()))


@st.composite
def holidays(draw: st.DrawFn) -> Holidays:
    return Holidays(date(2026, 12, 31), frozenset(draw(st.sets(days))), frozenset(draw(st.sets(days))))


def slowly_open(hours: Hours, holidays: Holidays, at: datetime) -> bool:
    """The reference: whether the minute that begins at `at` is open."""
    day = at.date()
    working = day in holidays.workdays or (day.isoweekday() <= 5 and day not in holidays.holidays)
    return hours.opens <= at.hour * 60 + at.minute < hours.closes and (working or not hours.working_days_only)


def shown(found: list[Span]) -> list[tuple[str, str]]:
    return [(f"{s.opens:%m-%d %H:%M}", f"{s.closes:%m-%d %H:%M}") for s in found]


# -- holidays -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("year", [2025, 2026])
def test_holidays_and_make_up_days_are_the_published_ones(year: int) -> None:
    published = load_holidays()
    every = [date(year, 1, 1) + timedelta(days=n) for n in range(365)]
    assert [day for day in every if published.works(day) != chinese_calendar.is_workday(day)] == []


def test_the_published_data_end_where_the_file_says() -> None:
    assert load_holidays().published_until == date(2026, 12, 31)


def test_beyond_the_published_data_a_weekday_is_a_provisional_working_day() -> None:
    published = load_holidays()
    assert [published.works(date(2027, 1, day)) for day in range(1, 8)] == [True, False, False, True, True, True, True]


# -- hours --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "expected"),
    [("09:00-17:00", (540, 1020)), ("00:00-24:00", (0, 1440)), ("22:59-23:00", (1379, 1380))],
)
def test_hours_are_read_as_minutes_of_the_day(text: str, expected: tuple[int, int]) -> None:
    assert Hours.parse(text, "working") == Hours(*expected, True)
    assert Hours.parse(text, "all") == Hours(*expected, False)


NEVER_OPEN = [
    "09:00-09:00",
    "17:00-09:00",
    "24:00-24:00",
    "00:00-00:00",
    "00:00-24:01",
    "00:00-25:00",
    "09:60-17:00",
    "9-17",
    "",
    "09:00-17:99",
]


@pytest.mark.parametrize("text", NEVER_OPEN)
def test_case_19_hours_in_which_nothing_is_open_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"hours are|must be open"):
        Hours.parse(text, "working")


def refused(office: object) -> list[str]:
    """The fields that are wrong in a policy with such an office calendar."""
    calendars = {
        "volunteer": {"hours": "07:00-22:00", "days": "all"},
        "workday": {"hours": "00:00-24:00", "days": "working"},
        "office": office,
    }
    with pytest.raises(BadPolicy) as caught:
        parse({"base": "default", "name": "x", "calendars": calendars})
    return [where for where, _ in caught.value.errors]


@pytest.mark.parametrize("text", NEVER_OPEN)
def test_case_19_a_policy_whose_calendar_is_never_open_is_refused_and_the_field_is_named(text: str) -> None:
    assert refused({"hours": text, "days": "working"}) == ["calendars.office"]


@pytest.mark.parametrize("days", ["none", "never", "", "holidays", None])
def test_case_19_a_policy_whose_calendar_has_no_working_day_is_refused(days: str | None) -> None:
    assert refused({"hours": "09:00-17:00", "days": days}) == ["calendars.office.days"]


# -- spans --------------------------------------------------------------------------------------------------
def test_an_office_is_open_once_a_working_day() -> None:
    found = list(spans(Hours(540, 1020, True), NONE, date(2026, 11, 20), date(2026, 11, 24)))  # Friday to Tuesday
    assert shown(found) == [
        ("11-20 09:00", "11-20 17:00"),
        ("11-23 09:00", "11-23 17:00"),
        ("11-24 09:00", "11-24 17:00"),
    ]
    assert [s.before for s in found] == [0, 8 * 3_600_000_000, 16 * 3_600_000_000]


def test_working_days_that_adjoin_are_one_span() -> None:
    found = spans(Hours(0, 1440, True), NONE, date(2026, 11, 19), date(2026, 11, 24))  # Thursday to Tuesday
    assert shown(list(found)) == [("11-19 00:00", "11-21 00:00"), ("11-23 00:00", "11-25 00:00")]


def test_a_holiday_is_closed_and_a_make_up_saturday_open() -> None:
    found = spans(Hours(540, 1020, True), load_holidays(), date(2026, 10, 1), date(2026, 10, 11))
    assert [opens for opens, _ in shown(list(found))] == ["10-08 09:00", "10-09 09:00", "10-10 09:00"]


def test_a_calendar_of_all_days_knows_no_holidays() -> None:
    found = spans(Hours(420, 1320, False), load_holidays(), date(2026, 10, 1), date(2026, 10, 11))
    assert len(list(found)) == 11


@given(hours=hours(), holidays=holidays(), first=days, length=st.integers(0, 9))
def test_exactly_the_minutes_of_the_slow_reference_are_open(
    hours: Hours, holidays: Holidays, first: date, length: int
) -> None:
    found = list(spans(hours, holidays, first, first + timedelta(days=length)))
    start = datetime.combine(first, time(), ZONE)
    minutes = [start + n * MINUTE for n in range((length + 1) * 24 * 60)]
    covered = {s.opens + n * MINUTE for s in found for n in range((s.closes - s.opens) // MINUTE)}
    assert covered == {at for at in minutes if slowly_open(hours, holidays, at)}


@given(hours=hours(), holidays=holidays(), first=days, length=st.integers(0, 60))
def test_spans_are_apart_in_order_and_each_knows_the_open_time_before_it(
    hours: Hours, holidays: Holidays, first: date, length: int
) -> None:
    found = list(spans(hours, holidays, first, first + timedelta(days=length)))
    total = 0
    for span in found:
        assert span.before == total
        total += (span.closes - span.opens) // timedelta(microseconds=1)
    assert all(one.opens < one.closes < two.opens for one, two in pairwise(found))
