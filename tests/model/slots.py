"""The earliest slot the plain way: every slot after the other, every room, everybody. Shares nothing with the code."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from services.deliberation.store.slots import Search
from tests.model.calendar import CHINA

Times = Sequence[tuple[datetime, datetime]]
Busy = Mapping[UUID, Times]


def earliest(search: Search, busy: Busy) -> tuple[UUID, datetime, frozenset[UUID]] | None:
    """Room, beginning, and who is free then; `busy`: when each person and room is taken."""
    midnight = search.since.astimezone(CHINA).replace(hour=0, minute=0, second=0, microsecond=0)
    starts = midnight
    while starts + search.slot <= search.until:
        ends = starts + search.slot
        for venue, windows in search.venues:
            open_ = any(
                window.day == starts.astimezone(CHINA).isoweekday()
                and minutes(starts, starts) >= window.opens
                and minutes(ends, starts) <= window.closes
                for window in windows
            )
            if starts >= search.since and open_ and fits(search, busy, venue, starts, ends):
                everybody = (*search.must, *search.six, *search.others, *(v for v, _ in search.venues))
                return venue, starts, frozenset(who for who in everybody if free(busy.get(who, ()), starts, ends))
        starts += search.raster
    return None


def fits(search: Search, busy: Busy, venue: UUID, starts: datetime, ends: datetime) -> bool:
    if not all(free(busy.get(who, ()), starts, ends) for who in (venue, *search.must)):
        return False
    return sum(free(busy.get(who, ()), starts, ends) for who in search.six) >= search.quorum


def free(times: Times, starts: datetime, ends: datetime) -> bool:
    return all(end <= starts or ends <= begin for begin, end in times)


def minutes(at: datetime, day: datetime) -> float:
    """Minutes since the midnight before `day`; 24:00 is the end of that day, not the beginning of the next."""
    midnight = day.astimezone(CHINA).replace(hour=0, minute=0, second=0, microsecond=0)
    return (at - midnight) / timedelta(minutes=1)
