"""Terms of a policy in microseconds, and the calendar each runs on.

`h`, `min` and `s` are open time of the level's clock; `wd` are working days of the `workday` calendar; `d` are
natural days. A `pace` replaces the units (a demonstration day lasts 24 seconds), then everything is natural time.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

SECOND = 1_000_000
NATURAL, WORKDAY = "natural", "workday"
UNITS = {"s": SECOND, "min": 60 * SECOND, "h": 3600 * SECOND, "d": 86_400 * SECOND, "wd": 86_400 * SECOND}
_TERM = re.compile(r"^(\d+(?:\.\d+)?)\s*(s|min|h|wd|d)$")


@dataclass(frozen=True)
class Term:
    """`amount` of `unit`, as the policy writes it: `30min`, `4h`, `1wd`, `7d`."""

    amount: Fraction
    unit: str

    @classmethod
    def parse(cls, text: str) -> "Term":
        """Raises ValueError for anything but a positive number and a unit."""
        found = _TERM.match(text.strip())
        if not found or Fraction(found[1]) <= 0:
            raise ValueError(f"{text!r} is not a term such as 30min, 4h, 1wd or 7d")
        return cls(Fraction(found[1]), found[2])


@dataclass(frozen=True)
class Pace:
    """How long a unit lasts, in microseconds, and the shortest term there is."""

    units: Mapping[str, Fraction]
    floor: int

    def microseconds(self, term: Term) -> int:
        return max(round(term.amount * self.units[term.unit]), self.floor)


REAL = Pace({unit: Fraction(length) for unit, length in UNITS.items()}, floor=1)


@dataclass(frozen=True)
class Clock:
    """A term made ready for the database: `due(calendar, since, microseconds)`."""

    calendar: str
    microseconds: int


def clock(term: Term, calendar: str, pace: Pace | None) -> Clock:
    """`calendar` is the level's; working days run on `workday` and days on `natural`, whatever the level says."""
    if pace is not None:
        return Clock(NATURAL, pace.microseconds(term))
    on = {"wd": WORKDAY, "d": NATURAL}.get(term.unit, calendar)
    return Clock(on, REAL.microseconds(term))
