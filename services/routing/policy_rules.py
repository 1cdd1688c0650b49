"""What makes a policy whole, beyond the form of its fields: every level has a term, every calendar is open some time,
nothing is named that there is not. A policy is checked when it is saved; a saved one is taken as it is."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.routing.domain.terms import DAY, NATURAL, SECOND, WORKDAY, Clock, Term
from shared.contracts.levels import COMMUNITY, LEVELS, RANK
from shared.problems import FieldError

if TYPE_CHECKING:
    from services.routing.policy import Policy, Terms, Wait

URGENCIES = ("emergency", "urgent", "ordinary", "complex")
OCCASIONS = ("emergency", "enforcement", "demand", "key_work")
LADDER = LEVELS[:COMMUNITY]
"""Levels with terms of their own; the subdistrict has the community's."""
LONGEST = 366 * DAY
"""Microseconds: calendars reach two years ahead at least, and nothing may be due after their end."""
WHOLE_DAY = "00:00-24:00"


@dataclass(frozen=True)
class Item:
    """What a policy needs to know of a category: its urgency and the level its cases start at, at least."""

    urgency: str
    start: str


def faults(policy: "Policy", items: Mapping[str, Item]) -> Iterator[FieldError]:
    """Everything that is wrong, field by field; `items` are the categories there are."""
    yield from _calendars(policy)
    yield from _urgencies(policy)
    for name, terms in policy.urgencies.items():
        if name in URGENCIES:
            yield from _terms(policy, ("urgencies", name), terms, Item(name, LADDER[0]))
    for code, terms in policy.categories.items():
        if item := items.get(code):
            yield from _terms(policy, ("categories", code), terms, item)
        else:
            yield FieldError(("categories", code), "没有这个类别", "is no category")
    yield from _wait(policy, "silence", policy.silence)
    yield from _wait(policy, "question", policy.question)
    yield from _length(policy, ("reopen",), policy.reopen)
    if policy.storm:
        yield from _length(policy, ("storm", "within"), policy.storm.within)
    if policy.recurrence:
        yield from _length(policy, ("recurrence", "within"), policy.recurrence.within)
    yield from _whistle(policy)
    yield from _length(policy, ("supervision", "review"), policy.supervision.review)


def _calendars(policy: "Policy") -> Iterator[FieldError]:
    for name, calendar in policy.calendars.items():
        if name == NATURAL:
            yield FieldError(("calendars", name), "自然时间不用定", "natural time is there already")
        if name == WORKDAY and (calendar.hours, calendar.days) != (WHOLE_DAY, "working"):
            yield FieldError(
                ("calendars", name), "一个工作日是 00:00-24:00", "a working day is 00:00-24:00, days: working"
            )


def _urgencies(policy: "Policy") -> Iterator[FieldError]:
    for name in URGENCIES:
        if name not in policy.urgencies:
            yield FieldError(("urgencies", name), "缺这一类紧急程度", "is missing")
    for name in policy.urgencies:
        if name not in URGENCIES:
            yield FieldError(("urgencies", name), "没有这种紧急程度", f"must be one of {', '.join(URGENCIES)}")
    if night := policy.night:
        for i, name in enumerate(night.urgencies):
            if name not in URGENCIES:
                yield FieldError(
                    ("night", "urgencies", i), "没有这种紧急程度", f"must be one of {', '.join(URGENCIES)}"
                )
        if night.start == night.until:
            yield FieldError(("night", "until"), "和开始是同一刻", "is the same as from")


def _terms(policy: "Policy", at: tuple[str, str], terms: "Terms", item: Item) -> Iterator[FieldError]:
    """`at` is the path of these terms. An emergency need not have terms to resolve."""
    first = max(RANK[item.start], RANK[terms.start] if terms.start else 0)
    for which, given in (("accept", terms.accept), ("resolve", terms.resolve)):
        wanted = [] if which == "resolve" and item.urgency == "emergency" and not given else LADDER
        for level in wanted:
            if RANK[level] >= first and level not in given:
                yield FieldError((*at, which, level), "这一级没有时限", "has no term for this level")
        for level, term in given.items():
            calendar = terms.upper if RANK[level] >= COMMUNITY else terms.lower
            yield from _length(policy, (*at, which, level), term, calendar)
    for which, name in (("lower", terms.lower), ("upper", terms.upper)):
        if policy.pace is None and name != NATURAL and name not in policy.calendars:
            yield FieldError((*at, which), "没有这个日历", "is no calendar of this policy")
    yield from _length(policy, (*at, "total"), terms.total)


def _wait(policy: "Policy", name: str, wait: "Wait") -> Iterator[FieldError]:
    yield from _length(policy, (name, "after"), wait.after)
    end, reminders = policy.waits(wait)
    for i, at in enumerate(reminders):
        if at >= end:
            yield FieldError((name, "reminders", i), "要早于结束", "must come before the end")
        elif i and at <= reminders[i - 1]:
            yield FieldError((name, "reminders", i), "要一个比一个晚", "must come after the one before")


def _whistle(policy: "Policy") -> Iterator[FieldError]:
    whistle = policy.whistle
    for name in OCCASIONS:
        if name not in whistle.occasions:
            yield FieldError(("whistle", "occasions", name), "缺这一种", "is missing")
    for name, occasion in whistle.occasions.items():
        for which in ("report_in", "result"):
            yield from _length(policy, ("whistle", "occasions", name, which), getattr(occasion, which))
    for which in ("confirm", "decide", "rest", "addition"):
        yield from _length(policy, ("whistle", which), getattr(whistle, which))


def _length(policy: "Policy", at: tuple[str, ...], term: Term, calendar: str = NATURAL) -> Iterator[FieldError]:
    """A term that needs a calendar which is not there, or ends after the calendar's data may."""
    clock = policy.clock(term, calendar)
    if clock.calendar == WORKDAY and WORKDAY not in policy.calendars:
        yield FieldError(at, f"工作日要有日历 {WORKDAY}", f"working days need the calendar {WORKDAY}")
    elif _natural(policy, clock) > LONGEST:
        yield FieldError(at, "超过一年", "is longer than a year")


def _natural(policy: "Policy", clock: Clock) -> int:
    """About how many microseconds of natural time a term takes."""
    calendar = policy.calendars.get(clock.calendar)
    if calendar is None:
        return clock.microseconds
    hours = calendar.parsed()
    open_minutes = (hours.closes - hours.opens) * (5 if hours.working_days_only else 7)
    return clock.microseconds * (7 * DAY) // (open_minutes * 60 * SECOND)
