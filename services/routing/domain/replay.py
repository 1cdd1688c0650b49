"""Replay (政策试算): what would have become of recorded cases under other hours.

The rule. People act as they did: whoever accepted, resolved or handed up so long after a case came to them does so
again after the same natural time. What comes before the new deadline is in time; else the deadline passes and the case
climbs to the next level of its record. Whoever never acted is silent under the new hours as well. A claim (还是我来办)
after a timeout is an acceptance that came late, and by longer hours may be in time. Time in which the clock stood still
(a question, a whistle, a meeting, 挂账) stands still again. Where a case climbs beyond its record nobody knows what the
next hand would have done: that stay is counted as `unrecorded` and nothing more is said of the case. At community
nobody is above: what is late there stays.

All times are microseconds since 1970; only hours change: who was there, and which levels were skipped, is as recorded.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

COMMUNITY = 5
TIMEOUTS = ("accept_timeout", "resolve_timeout")
BY_HAND = ("resolved", "escalated", "returned")
IN_TIME, LATE, SILENT, NEUTRAL, OPEN, UNRECORDED = "in_time", "late", "silent", "neutral", "open", "unrecorded"
KINDS = (IN_TIME, LATE, SILENT, NEUTRAL, OPEN, UNRECORDED)
"""How a stay ended: done in time; after its deadline, by somebody who did act; after it, nobody having acted; handed up
or taken away before it (neutral in every statistic); not yet; not known."""
LAST_NO = 3
"""From the third "not solved" on there are no deadlines."""


class Calendar(Protocol):
    """Working time, as the database counts it."""

    def due(self, at: int, left: int) -> int: ...
    def between(self, since: int, until: int) -> int: ...


@dataclass(frozen=True, slots=True)
class Running:
    """A term on its calendar."""

    calendar: Calendar
    term: int


@dataclass(frozen=True, slots=True)
class Terms:
    """A class's clocks by rank, to accept and to resolve; `rest`: what is left at least after a case was held."""

    clocks: Mapping[int, tuple[Running | None, Running | None]]
    rest: int = 0


@dataclass(frozen=True, slots=True)
class Pause:
    """The clocks stood still; `until` None: to the end of the stay. `held`: not only for a question."""

    since: int
    until: int | None
    held: bool = False


@dataclass(frozen=True, slots=True)
class Stay:
    """A recorded stay with one holder. `overdue`: its deadline passed where nobody is above. `agreed`: a deadline that
    was put off to this time (延期)."""

    rank: int
    holder: str
    since: int
    until: int | None = None
    ended_by: str | None = None
    accepted: int | None = None
    overdue: bool = False
    agreed: int | None = None
    pauses: Sequence[Pause] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a stay, and how long it lasted."""

    rank: int
    kind: str
    lasted: int


def recorded(stays: Sequence[Stay], end: int) -> Iterator[Outcome]:
    """How the stays of a case ended in the record, which reaches to `end`."""
    for i, stay in enumerate(stays):
        lasted = (end if stay.until is None else stay.until) - stay.since
        silent = _silent(stay) and _claim(stays, i) is None
        if stay.ended_by in TIMEOUTS or stay.overdue:
            yield Outcome(stay.rank, SILENT if silent else LATE, lasted)
        else:
            yield Outcome(stay.rank, OPEN if stay.until is None else _done(stay), lasted)


def replayed(stays: Sequence[Stay], terms: Terms, end: int) -> Iterator[Outcome]:
    """How they would have ended by other terms."""
    i, at, noes = 0, stays[0].since if stays else 0, 0
    while i < len(stays):
        claim = _claim(stays, i)
        stay = stays[i] if claim is None else _claimed(stays[i], stays[claim])
        clocks = terms.clocks.get(stay.rank, (None, None)) if noes < LAST_NO else (None, None)
        outcome, timed_out = _stay(stay, at, clocks, terms.rest, end)
        yield outcome
        if timed_out and stay.rank < COMMUNITY:
            above = next((j for j in range(i + 1, len(stays)) if stays[j].rank > stay.rank), None)
            if above is None:
                yield Outcome(stay.rank + 1, UNRECORDED, 0)
                return
            i, at = above, at + outcome.lasted
            continue
        if stay.until is None or stay.ended_by in TIMEOUTS:
            return
        last = i if claim is None or timed_out else claim
        if last + 1 < len(stays):
            at += outcome.lasted + stays[last + 1].since - stay.until
        noes += stay.ended_by == "resolved"
        i = last + 1


def _stay(
    stay: Stay, at: int, clocks: tuple[Running | None, Running | None], rest: int, end: int
) -> tuple[Outcome, bool]:
    """What becomes of a stay that begins at `at`, and whether its deadline passes."""
    shift = at - stay.since
    accept, resolve = (_deadline(clock, stay, shift, rest * n) for n, clock in enumerate(clocks))
    if stay.agreed is not None:
        resolve = stay.agreed + shift
    accepted = stay.accepted is not None and stay.accepted + shift < _first(accept, resolve)
    limit = _first(None if accepted else accept, resolve)
    acted = stay.until is not None and stay.ended_by not in TIMEOUTS
    until = shift + (stay.until if stay.until is not None else end)
    if until < limit and (acted or stay.until is None):
        return Outcome(stay.rank, _done(stay) if acted else OPEN, until - at), False
    if limit == NEVER:  # there is no deadline by these hours, and nobody acted
        return Outcome(stay.rank, OPEN, until - at), False
    lasted = (limit if stay.rank < COMMUNITY else until) - at
    return Outcome(stay.rank, SILENT if _silent(stay) else LATE, lasted), True


NEVER = 1 << 62


def _first(*limits: int | None) -> int:
    return min((limit for limit in limits if limit is not None), default=NEVER)


def _deadline(clock: Running | None, stay: Stay, shift: int, rest: int) -> int | None:
    """When a clock runs out that stands still when it did in the record."""
    if clock is None:
        return None
    at, left = stay.since + shift, clock.term
    for pause in stay.pauses:
        stops = pause.since + shift
        limit = clock.calendar.due(at, left)
        if limit <= stops:
            return limit
        if pause.until is None:
            return None
        left -= clock.calendar.between(at, stops)
        if pause.held:
            left = max(left, rest)
        at = pause.until + shift
    return clock.calendar.due(at, left)


def _done(stay: Stay) -> str:
    return IN_TIME if stay.ended_by == "resolved" or stay.accepted is not None else NEUTRAL


def _silent(stay: Stay) -> bool:
    """The holder never did anything; that a resident or a desk ended the stay is not his doing."""
    return stay.accepted is None and stay.ended_by not in BY_HAND


def _claim(stays: Sequence[Stay], i: int) -> int | None:
    """The later stay in which the holder of a stay that timed out took it back."""
    if stays[i].ended_by not in TIMEOUTS:
        return None
    for j in range(i + 2, len(stays)):
        taken = stays[j - 1].ended_by == "taken" and stays[j].accepted == stays[j].since
        if taken and (stays[j].rank, stays[j].holder) == (stays[i].rank, stays[i].holder):
            return j
    return None


def _claimed(stay: Stay, later: Stay) -> Stay:
    """One stay of both: accepted when it was claimed."""
    return replace(
        stay,
        accepted=later.accepted if stay.accepted is None else stay.accepted,
        until=later.until,
        ended_by=later.ended_by,
        agreed=stay.agreed if later.agreed is None else later.agreed,
        pauses=(*stay.pauses, *later.pauses),
    )
