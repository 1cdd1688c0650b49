"""Calendars in the database: open spans for `due()` and how far the published holidays reach."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.calendar.spans import ZONE, Holidays, Hours, spans
from shared.db import clock_now

YEARS_BACK, YEARS_AHEAD = 1, 3

CLEAR = text("DELETE FROM public.calendar_span WHERE calendar = :calendar")
FILL = text(
    "INSERT INTO public.calendar_span (calendar, opens, closes, before)"
    " SELECT :calendar, * FROM unnest(CAST(:opens AS timestamptz[]), CAST(:closes AS timestamptz[]),"
    " CAST(:before AS bigint[]))"
)
HORIZON = text(
    "INSERT INTO public.calendar_horizon (calendar, published_until, hours) VALUES (:calendar, :until, :hours)"
    " ON CONFLICT (calendar) DO UPDATE SET published_until = excluded.published_until, hours = excluded.hours"
)
END = text("SELECT min(published_until) FROM public.calendar_horizon")


async def save_calendars(conn: AsyncConnection, calendars: Mapping[str, Hours], holidays: Holidays) -> None:
    """Replaces calendars, as the owner, from the year before the clock's to the third after it. Whoever keeps
    deadlines recomputes them afterwards.

    Deadlines need two years ahead; the third is there so that a year's end changes nothing. Raises ValueError for a
    calendar that is never open: nothing on it would ever be due.
    """
    year = (await clock_now(conn)).year
    first, last = date(year - YEARS_BACK, 1, 1), date(year + YEARS_AHEAD, 12, 31)
    until = datetime.combine(holidays.published_until + timedelta(days=1), time(), ZONE)
    for calendar, hours in calendars.items():
        found = list(spans(hours, holidays, first, last))
        if not found:
            raise ValueError(f"calendar {calendar} is never open")
        await conn.execute(CLEAR, {"calendar": calendar})
        await conn.execute(
            FILL,
            {
                "calendar": calendar,
                "opens": [s.opens for s in found],
                "closes": [s.closes for s in found],
                "before": [s.before for s in found],
            },
        )
        # Only calendars that know working days depend on published holidays.
        if hours.working_days_only:
            await conn.execute(
                HORIZON, {"calendar": calendar, "until": until, "hours": f"{hours.opens}-{hours.closes}"}
            )


async def published_until(conn: AsyncConnection) -> datetime | None:
    """Until when all calendars know their public holidays; None if no calendar needs them."""
    end: datetime | None = (await conn.execute(END)).scalar_one()
    return end
