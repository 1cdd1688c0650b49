"""Calendars in the database: open spans for `due()` and how far the published holidays reach."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.calendar.spans import ZONE, Holidays, Hours, Span, spans
from shared.db import clock_now

YEARS_BACK, YEARS_AHEAD = 1, 3

SPANS = text("SELECT opens, closes FROM public.calendar_span WHERE calendar = :calendar ORDER BY opens")
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


class NeverOpen(ValueError):
    """A calendar without any open time: nothing on it would ever be due."""


async def save_calendars(conn: AsyncConnection, calendars: Mapping[str, Hours], holidays: Holidays) -> list[str]:
    """Replaces calendars from the year before the clock's to the third after it. Returns the names of those that are
    not as before: whoever keeps deadlines on them recomputes these.

    Deadlines need two years ahead; the third is there so that a year's end changes nothing. Raises NeverOpen.
    """
    year = (await clock_now(conn)).year
    first, last = date(year - YEARS_BACK, 1, 1), date(year + YEARS_AHEAD, 12, 31)
    until = datetime.combine(holidays.published_until + timedelta(days=1), time(), ZONE)
    changed = []
    for calendar, hours in calendars.items():
        found = list(spans(hours, holidays, first, last))
        if not found:
            raise NeverOpen(calendar)
        present = [(row.opens, row.closes) for row in await conn.execute(SPANS, {"calendar": calendar})]
        if present != [(s.opens, s.closes) for s in found]:
            changed.append(calendar)
            await _fill(conn, calendar, found)
        # Only calendars that know working days depend on published holidays.
        if hours.working_days_only:
            await conn.execute(
                HORIZON, {"calendar": calendar, "until": until, "hours": f"{hours.opens}-{hours.closes}"}
            )
    return changed


async def _fill(conn: AsyncConnection, calendar: str, found: Sequence[Span]) -> None:
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


async def published_until(conn: AsyncConnection) -> datetime | None:
    """Until when all calendars know their public holidays; None if no calendar needs them."""
    end: datetime | None = (await conn.execute(END)).scalar_one()
    return end
