"""Working time in SQL: due() and open_between() against a slow minute-by-minute reference in Python."""

from collections.abc import AsyncIterator, Sequence
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import RowMapping, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.calendar.spans import ZONE, Holidays, Hours, load_holidays
from shared.calendar.store import save_calendars
from shared.db import make_engine, transaction
from shared.embedded import Endpoints
from tests.world import new_database

CALENDARS = {
    "volunteer": Hours.parse("07:00-22:00", "all"),
    "office": Hours.parse("09:00-17:00", "working"),
    "workday": Hours.parse("00:00-24:00", "working"),
    "long": Hours.parse("08:00-18:00", "working"),
}
MINUTE = timedelta(minutes=1)
HOUR, DAY = 3_600_000_000, 86_400_000_000
MICROSECOND = timedelta(microseconds=1)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def owner(instance: Endpoints) -> AsyncIterator[AsyncEngine]:
    """A database whose clock stands in November 2026, with the calendars above."""
    engine = make_engine(await new_database(instance))
    async with transaction(engine) as conn:
        await conn.execute(text("UPDATE clock_shift SET shift = '2026-11-24 10:00+08' - now()"))
        await save_calendars(conn, CALENDARS, load_holidays())
    yield engine
    await engine.dispose()


def local(when: str) -> datetime:
    return datetime.fromisoformat(when).replace(tzinfo=ZONE)


async def scalar(owner: AsyncEngine, expression: str, **values: Any) -> Any:
    async with transaction(owner) as conn:
        return (await conn.execute(text(f"SELECT {expression}"), values)).scalar_one()


async def due(owner: AsyncEngine, calendar: str, at: str, term: int) -> str:
    """The due time in Asia/Shanghai, with its day of the week."""
    found = await scalar(
        owner, "due(:c, CAST(:at AS timestamptz), CAST(:term AS bigint))", c=calendar, at=local(at), term=term
    )
    return f"{found.astimezone(ZONE):%Y-%m-%d %a %H:%M}"


# -- cases --------------------------------------------------------------------------------------------------
async def test_case_16_friday_1630_and_one_hour_is_monday_0930_when_hours_are_9_to_17(owner: AsyncEngine) -> None:
    assert await due(owner, "office", "2026-11-20 16:30", HOUR) == "2026-11-23 Mon 09:30"


async def test_case_16_with_a_make_up_saturday_it_is_saturday_0930(owner: AsyncEngine) -> None:
    assert await due(owner, "office", "2026-10-09 16:30", HOUR) == "2026-10-10 Sat 09:30"


async def test_case_17_one_working_day_from_friday_1200_is_monday_1200(owner: AsyncEngine) -> None:
    assert await due(owner, "workday", "2026-11-20 12:00", DAY) == "2026-11-23 Mon 12:00"


async def test_case_17_one_working_day_from_saturday_1200_is_tuesday_0000(owner: AsyncEngine) -> None:
    assert await due(owner, "workday", "2026-11-21 12:00", DAY) == "2026-11-24 Tue 00:00"


async def test_case_19_a_calendar_without_a_working_day_is_refused_when_saved_and_the_old_one_stays(
    owner: AsyncEngine,
) -> None:
    never = Holidays(
        date(2026, 12, 31), frozenset(date(2025, 1, 1) + timedelta(days=n) for n in range(2000)), frozenset()
    )
    with pytest.raises(ValueError, match="office is never open"):
        await save(owner, {"office": CALENDARS["office"]}, never)
    assert await due(owner, "office", "2026-11-20 16:30", HOUR) == "2026-11-23 Mon 09:30"


async def test_case_27_a_term_of_4_hours_from_monday_1700_ends_tuesday_1100_when_hours_are_8_to_18(
    owner: AsyncEngine,
) -> None:
    assert await due(owner, "long", "2026-11-23 17:00", 4 * HOUR) == "2026-11-24 Tue 11:00"


async def test_case_27_its_reminder_at_three_quarters_is_tuesday_1000(owner: AsyncEngine) -> None:
    assert await due(owner, "long", "2026-11-23 17:00", 4 * HOUR - 4 * HOUR // 4) == "2026-11-24 Tue 10:00"


async def test_case_28_a_deadline_beyond_the_published_calendar_counts_weekdays_and_is_known_as_provisional(
    owner: AsyncEngine,
) -> None:
    assert await due(owner, "office", "2026-12-31 16:30", HOUR) == "2027-01-01 Fri 09:30"
    published = await scalar(owner, "published_until FROM calendar_horizon WHERE calendar = 'office'")
    assert published == local("2027-01-01 00:00")


async def test_case_28_a_newly_published_calendar_moves_the_deadline_and_the_horizon(owner: AsyncEngine) -> None:
    known = load_holidays()
    newer = Holidays(date(2027, 12, 31), known.holidays | {date(2027, 1, 1)}, known.workdays)
    await save(owner, {"office": CALENDARS["office"]}, newer)
    try:
        assert await due(owner, "office", "2026-12-31 16:30", HOUR) == "2027-01-04 Mon 09:30"
        published = await scalar(owner, "published_until FROM calendar_horizon WHERE calendar = 'office'")
        assert published == local("2028-01-01 00:00")
    finally:
        await save(owner, {"office": CALENDARS["office"]}, known)


async def test_a_calendar_of_all_days_needs_no_published_holidays(owner: AsyncEngine) -> None:
    assert await scalar(owner, "count(*) FROM calendar_horizon WHERE calendar = 'volunteer'") == 0


async def save(owner: AsyncEngine, calendars: dict[str, Hours], holidays: Holidays) -> None:
    async with transaction(owner) as conn:
        await save_calendars(conn, calendars, holidays)


# -- outside the data ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("calendar", "at", "term"),
    [
        ("office", "2025-01-01 08:00", HOUR),
        ("office", "2020-06-01 12:00", HOUR),
        ("office", "2029-12-31 16:30", HOUR),
        ("office", "2035-06-01 12:00", 1),
        ("office", "2026-11-24 10:00", 10_000 * HOUR),
        ("unheard-of", "2026-11-24 10:00", HOUR),
    ],
)
async def test_due_raises_outside_the_data_of_its_calendar(
    owner: AsyncEngine, calendar: str, at: str, term: int
) -> None:
    with pytest.raises(Exception, match=r"has no data for|ends before"):
        await due(owner, calendar, at, term)


async def test_open_time_before_the_data_raises(owner: AsyncEngine) -> None:
    with pytest.raises(Exception, match="has no data for"):
        await scalar(owner, "open_between('office', '2020-01-01 00:00+08', '2026-11-24 10:00+08')")


async def test_the_last_minute_of_the_data_can_still_be_due(owner: AsyncEngine) -> None:
    assert await due(owner, "office", "2029-12-31 16:00", HOUR) == "2029-12-31 Mon 17:00"


async def test_the_data_reach_at_least_two_years_ahead(owner: AsyncEngine) -> None:
    assert await scalar(owner, "max(closes) > clock_now() + interval '2 years' FROM calendar_span")


async def test_nothing_is_due_where_no_term_is_set(owner: AsyncEngine) -> None:
    assert await scalar(owner, "due('office', clock_now(), NULL)") is None
    assert await scalar(owner, "due(NULL, clock_now(), 5)") is None


async def test_natural_time_counts_every_minute(owner: AsyncEngine) -> None:
    assert await due(owner, "natural", "2026-11-21 23:30", HOUR) == "2026-11-22 Sun 00:30"
    assert await scalar(owner, "open_between('natural', '2026-11-21 23:30+08', '2026-11-22 00:30+08')") == HOUR


# -- properties ---------------------------------------------------------------------------------------------
@cache
def _works(day: date) -> bool:
    published = load_holidays()
    return day in published.workdays or (day.isoweekday() <= 5 and day not in published.holidays)


def slowly_open(calendar: str, at: datetime) -> bool:
    """The reference: whether the minute that begins at `at` is open."""
    hours = CALENDARS[calendar]
    inside = hours.opens <= at.hour * 60 + at.minute < hours.closes
    return inside and (not hours.working_days_only or _works(at.date()))


def slowly_due(calendar: str, at: datetime, minutes: int) -> datetime:
    """Counts open minutes one by one; the end of the last of them."""
    while minutes:
        minutes -= slowly_open(calendar, at)
        at += MINUTE
    return at


def slowly_between(calendar: str, since: datetime, until: datetime) -> int:
    return sum(slowly_open(calendar, since + n * MINUTE) for n in range((until - since) // MINUTE))


calendars = st.sampled_from(sorted(CALENDARS))
# Around the National Day holiday and its make-up days, an ordinary month, New Year and beyond the published data.
starts = st.sampled_from([local("2026-09-18 00:00"), local("2026-11-16 00:00"), local("2026-12-29 00:00")])
minutes = st.builds(lambda start, n: start + n * MINUTE, starts, st.integers(0, 12 * 24 * 60))
moments = st.builds(lambda at, n: at + n * MICROSECOND, minutes, st.integers(0, 59_999_999))
terms = st.integers(1, 5 * DAY)
MANY = 40
"""Rows of one statement: a look at the database costs more than many rows of arithmetic."""

ROWS = "jsonb_to_recordset(:rows) AS r(c text, a timestamptz, b timestamptz, t bigint, u bigint)"


async def table(owner: AsyncEngine, expressions: str, rows: Sequence[dict[str, Any]]) -> Sequence[RowMapping]:
    """`expressions` over rows of c (calendar), a, b (times), t, u (terms in microseconds)."""
    async with transaction(owner) as conn:
        statement = text(f"SELECT c, t, {expressions} FROM {ROWS}").bindparams(bindparam("rows", type_=JSONB))
        return (await conn.execute(statement, {"rows": rows})).mappings().all()


def rows_of(**columns: st.SearchStrategy[Any]) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(st.fixed_dictionaries(columns), min_size=1, max_size=MANY)


a_few = settings(max_examples=40, deadline=None)


@a_few
@given(rows=rows_of(c=calendars, a=minutes, t=st.integers(1, 3000)))
async def test_due_is_what_counting_minute_by_minute_gives(owner: AsyncEngine, rows: list[dict[str, Any]]) -> None:
    found = await table(owner, "due(c, a, t * 60000000) AS d", rows)
    assert [row["d"] for row in found] == [slowly_due(r["c"], r["a"], r["t"]) for r in rows]


@a_few
@given(rows=rows_of(c=calendars, a=minutes, t=st.integers(0, 6000)))
async def test_open_time_is_what_counting_minute_by_minute_gives(
    owner: AsyncEngine, rows: list[dict[str, Any]]
) -> None:
    found = await table(owner, "open_between(c, a, a + t * interval '1 minute') AS n", rows)
    assert [row["n"] for row in found] == [
        60_000_000 * slowly_between(r["c"], r["a"], r["a"] + r["t"] * MINUTE) for r in rows
    ]


@a_few
@given(rows=rows_of(c=calendars, a=moments, t=terms))
async def test_the_open_time_until_the_due_time_is_the_term_and_a_microsecond_earlier_it_is_not(
    owner: AsyncEngine, rows: list[dict[str, Any]]
) -> None:
    found = await table(
        owner,
        "open_between(c, a, due(c, a, t)) AS whole, open_between(c, a, due(c, a, t) - interval '1 us') AS less",
        rows,
    )
    assert [(row["whole"], row["less"]) for row in found] == [(row["t"], row["t"] - 1) for row in found]


@a_few
@given(rows=rows_of(c=calendars, a=moments, t=terms))
async def test_the_moment_before_the_due_time_is_open_so_that_nothing_is_due_in_closed_time(
    owner: AsyncEngine, rows: list[dict[str, Any]]
) -> None:
    found = await table(owner, "due(c, a, t) - interval '1 us' AS before", rows)
    assert all(slowly_open(row["c"], row["before"].astimezone(ZONE)) for row in found)


@a_few
@given(rows=rows_of(c=calendars, a=moments, b=moments, t=terms, u=terms))
async def test_a_later_start_or_a_longer_term_is_never_due_earlier(
    owner: AsyncEngine, rows: list[dict[str, Any]]
) -> None:
    found = await table(
        owner,
        "due(c, least(a, b), least(t, u)) <= due(c, greatest(a, b), least(t, u))"
        " AND due(c, least(a, b), least(t, u)) <= due(c, least(a, b), greatest(t, u)) AS monotone",
        rows,
    )
    assert all(row["monotone"] for row in found)


@a_few
@given(rows=rows_of(c=calendars, a=moments, t=terms, u=terms))
async def test_a_term_in_two_parts_with_a_pause_of_no_length_ends_when_the_whole_does(
    owner: AsyncEngine, rows: list[dict[str, Any]]
) -> None:
    found = await table(owner, "due(c, due(c, a, t), u) AS parts, due(c, a, t + u) AS whole", rows)
    assert [row["parts"] for row in found] == [row["whole"] for row in found]
