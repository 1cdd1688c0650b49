"""When a meeting may be: weekly windows of a venue and of the policy, and the bounds of a week. Asia/Shanghai."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

CHINA = ZoneInfo("Asia/Shanghai")
DAY = 24 * 60
_DAYS = "一二三四五六日"
_OPENING = re.compile(r"周([一二三四五六日])(?:至周([一二三四五六日]))? (\d\d):(\d\d)-(\d\d):(\d\d)")
_WEEK = re.compile(r"(\d{4})-W(\d\d)")


@dataclass(frozen=True)
class Window:
    """On a day of the week (1 = Monday), from `opens` until `closes`, in minutes since midnight."""

    day: int
    opens: int
    closes: int


def parse_opening(text: str) -> list[Window]:
    """`周一至周日 08:30-20:30` as windows. Raises ValueError."""
    found = _OPENING.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} does not look like 周一至周五 08:30-17:30")
    first, last = _DAYS.index(found[1]), _DAYS.index(found[2] or found[1])
    opens, closes = (int(found[n]) * 60 + int(found[n + 1]) for n in (3, 5))
    if not opens < closes <= DAY:
        raise ValueError(f"{text!r} closes before it opens")
    return [Window((first + n) % 7 + 1, opens, closes) for n in range((last - first) % 7 + 1)]


def common(venue: Iterable[Window], allowed: Iterable[Window]) -> list[Window]:
    """When the venue is open and the policy allows it."""
    allowed = list(allowed)
    both = (
        Window(v.day, max(v.opens, a.opens), min(v.closes, a.closes)) for v in venue for a in allowed if v.day == a.day
    )
    return [window for window in both if window.opens < window.closes]


def week_bounds(text: str) -> tuple[datetime, datetime]:
    """Beginning and end of an ISO week such as `2026-W49`. Raises ValueError."""
    found = _WEEK.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is not a week such as 2026-W49")
    monday = datetime.combine(date.fromisocalendar(int(found[1]), int(found[2]), 1), time(), CHINA)
    return monday, monday + timedelta(days=7)
