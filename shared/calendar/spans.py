"""Working-time calendars: from opening hours and public holidays to spans of open time."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import yaml

ZONE = ZoneInfo("Asia/Shanghai")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOURS = re.compile(r"^(\d{2}):(\d{2})-(\d{2}):(\d{2})$")


@dataclass(frozen=True)
class Holidays:
    """Public holidays, make-up working days, and the last day for which both are published."""

    published_until: date
    holidays: frozenset[date]
    workdays: frozenset[date]

    def works(self, day: date) -> bool:
        return day in self.workdays or (day.weekday() < 5 and day not in self.holidays)

    def with_year(self, year: int, holidays: Iterable[date], workdays: Iterable[date]) -> "Holidays":
        """With a year as it was published since; what is known reaches further if no year before it is missing."""
        until = date(year, 12, 31) if year == self.published_until.year + 1 else self.published_until
        return Holidays(
            until,
            frozenset({*(day for day in self.holidays if day.year != year), *holidays}),
            frozenset({*(day for day in self.workdays if day.year != year), *workdays}),
        )

    def with_days(self, days: Mapping[date, bool]) -> "Holidays":
        """With days on which somebody differs: working (True) or not."""
        opened = {day for day, is_open in days.items() if is_open}
        return Holidays(
            self.published_until, self.holidays - opened | days.keys() - opened, self.workdays - days.keys() | opened
        )


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


class Open:
    """Working time outside the database, as `due()` and `open_between()` count it there: microseconds since 1970.
    Raises LookupError outside its days."""

    def __init__(self, found: Iterable[Span]) -> None:
        self._opens: list[int] = []
        self._closes: list[int] = []
        self._before: list[int] = []
        for span in found:
            self._opens.append(microseconds(span.opens))
            self._closes.append(microseconds(span.closes))
            self._before.append(span.before)

    def opened(self, at: int) -> int:
        """Open time from the first day until `at`."""
        i = bisect_right(self._opens, at) - 1
        if i < 0:
            raise LookupError(at)
        return self._before[i] + min(at, self._closes[i]) - self._opens[i]

    def between(self, since: int, until: int) -> int:
        return self.opened(until) - self.opened(since)

    def due(self, at: int, left: int) -> int:
        """When `left` open microseconds after `at` have passed; a term that ends with a span ends at its close."""
        if left <= 0:
            return at
        target = self.opened(at) + left
        i = bisect_left(self._before, target) - 1
        found = self._opens[i] + target - self._before[i]
        if found > self._closes[i]:
            raise LookupError(at)
        return found


class Natural:
    """Every minute counts."""

    def between(self, since: int, until: int) -> int:
        return until - since

    def due(self, at: int, left: int) -> int:
        return at + max(left, 0)


def microseconds(at: datetime) -> int:
    """Since 1970."""
    return (at - EPOCH) // timedelta(microseconds=1)


def _days(first: date, last: date) -> Iterable[date]:
    return (first + timedelta(days=n) for n in range((last - first).days + 1))


def load_holidays(path: Path = Path(__file__).parent / "holidays.yaml") -> Holidays:
    data = yaml.safe_load(path.read_text())
    return Holidays(
        data["published_until"],
        frozenset(day for line in data["holidays"] for day in line),
        frozenset(day for line in data["workdays"] for day in line),
    )
