"""Working-time calendars: from opening hours and public holidays to spans of open time."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import yaml

ZONE = ZoneInfo("Asia/Shanghai")
_HOURS = re.compile(r"^(\d{2}):(\d{2})-(\d{2}):(\d{2})$")


@dataclass(frozen=True)
class Holidays:
    """Public holidays, make-up working days, and the last day for which both are published."""

    published_until: date
    holidays: frozenset[date]
    workdays: frozenset[date]

    def works(self, day: date) -> bool:
        return day in self.workdays or (day.weekday() < 5 and day not in self.holidays)


@dataclass(frozen=True)
class Hours:
    """Open hours of a calendar in minutes of the day, on all days or on working days."""

    opens: int
    closes: int
    working_days_only: bool

    @classmethod
    def parse(cls, hours: str, days: str) -> "Hours":
        """`09:00-17:00` with `all` or `working`. Raises ValueError for a calendar that is never open."""
        found = _HOURS.match(hours)
        if not found or days not in ("all", "working"):
            raise ValueError("hours are HH:MM-HH:MM, days are all or working")
        h1, m1, h2, m2 = map(int, found.groups())
        opens, closes = h1 * 60 + m1, h2 * 60 + m2
        if not 0 <= opens < closes <= 24 * 60 or m1 > 59 or m2 > 59:
            raise ValueError("a calendar must be open for some time of a day")
        return cls(opens, closes, days == "working")


@dataclass(frozen=True)
class Span:
    """A stretch of open time, half-open; `before`: open microseconds of all earlier spans."""

    opens: datetime
    closes: datetime
    before: int


def spans(hours: Hours, holidays: Holidays, first: date, last: date) -> Iterator[Span]:
    """Open spans from `first` to `last`, both included, in Asia/Shanghai. Adjoining days make one span."""
    before = 0
    pending: tuple[datetime, datetime] | None = None
    for day in _days(first, last):
        if hours.working_days_only and not holidays.works(day):
            continue
        midnight = datetime.combine(day, time(), ZONE)
        opens, closes = midnight + timedelta(minutes=hours.opens), midnight + timedelta(minutes=hours.closes)
        if pending and pending[1] == opens:
            pending = (pending[0], closes)
            continue
        if pending:
            yield Span(*pending, before)
            before += (pending[1] - pending[0]) // timedelta(microseconds=1)
        pending = (opens, closes)
    if pending:
        yield Span(*pending, before)


def _days(first: date, last: date) -> Iterable[date]:
    return (first + timedelta(days=n) for n in range((last - first).days + 1))


def load_holidays(path: Path = Path(__file__).parent / "holidays.yaml") -> Holidays:
    data = yaml.safe_load(path.read_text())
    return Holidays(
        data["published_until"],
        frozenset(day for line in data["holidays"] for day in line),
        frozenset(day for line in data["workdays"] for day in line),
    )
