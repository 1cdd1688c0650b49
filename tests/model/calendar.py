"""Working time the slow and plain way: day by day, from what the policy's text says. Shares nothing with the code."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

CHINA = ZoneInfo("Asia/Shanghai")
HOURS = {"volunteer": (7, 22), "workday": (0, 24)}
HOLIDAYS = {(2026, 1, 1), (2026, 1, 2), (2026, 10, 1), (2026, 10, 2)}


def open_spans(calendar: str, since: datetime) -> "list[tuple[datetime, datetime]]":
    first = since.astimezone(CHINA).date()
    opens, closes = HOURS[calendar]
    spans = []
    for n in range(60):
        day = first + timedelta(days=n)
        if calendar == "workday" and day.weekday() >= 5:
            continue
        midnight = datetime.combine(day, time(), CHINA)
        spans.append((midnight + timedelta(hours=opens), midnight + timedelta(hours=closes)))
    return spans


def due(calendar: str, since: datetime, left: timedelta) -> datetime:
    if calendar == "natural" or left <= timedelta(0):
        return since + max(left, timedelta(0))
    for opens, closes in open_spans(calendar, since):
        start = max(opens, since)
        if start >= closes:
            continue
        if left < closes - start:  # on the dot goes on in the morning: the database is always a little late
            return start + left
        left -= closes - start
    raise AssertionError("the model looks 60 days ahead")


def open_time(calendar: str, since: datetime, until: datetime) -> timedelta:
    if calendar == "natural":
        return until - since
    total = timedelta(0)
    for opens, closes in open_spans(calendar, since):
        total += max(timedelta(0), min(closes, until) - max(opens, since))
    return total
