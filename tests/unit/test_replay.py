"""The rule of policy replay: people act as they did, the hours are others."""

from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.routing.domain.replay import Outcome, Pause, Running, Stay, Terms, recorded, replayed
from shared.calendar.spans import Hours, Natural, Open, load_holidays, microseconds, spans

MINUTE = 60_000_000
HOUR = 60 * MINUTE
NATURAL = Natural()
END = 1_000 * HOUR
"""Where the record ends."""


def terms(accept: int, resolve: int | None = None, rest: int = 0) -> Terms:
    """The same hours at every level."""
    clocks = (Running(NATURAL, accept * HOUR), None if resolve is None else Running(NATURAL, resolve * HOUR))
    return Terms(dict.fromkeys(range(1, 6), clocks), rest)


def silent(rank: int, since: int, until: int) -> Stay:
    return Stay(rank, f"r{rank}", since * HOUR, until * HOUR, "accept_timeout")


def done(rank: int, since: int, accepted: int, until: int, ended_by: str = "resolved", **more: object) -> Stay:
    return Stay(rank, f"r{rank}", since * HOUR, until * HOUR, ended_by, accepted * HOUR, **more)  # type: ignore[arg-type]


def said(stays: list[Stay], by: Terms) -> list[tuple[int, str, float]]:
    return [(o.rank, o.kind, o.lasted / HOUR) for o in replayed(stays, by, END)]


def test_who_accepted_in_time_is_late_under_shorter_hours_and_the_case_climbs_beyond_its_record() -> None:
    assert said([done(1, 0, 3, 10)], terms(2, 24)) == [(1, "late", 2), (2, "unrecorded", 0)]


def test_who_never_acted_is_silent_under_longer_hours_as_well_and_the_case_climbs_later() -> None:
    record = [silent(1, 0, 4), done(2, 4, 5, 9)]
    assert said(record, terms(4, 24)) == [(1, "silent", 4), (2, "in_time", 5)]
    assert said(record, terms(12, 24)) == [(1, "silent", 12), (2, "in_time", 5)]


def test_who_accepted_and_did_not_finish_is_late_and_not_silent() -> None:
    record = [Stay(1, "r1", 0, 24 * HOUR, "resolve_timeout", HOUR), done(2, 24, 25, 26)]
    assert said(record, terms(4, 24)) == [(1, "late", 24), (2, "in_time", 2)]
    assert said(record, terms(4, 48)) == [(1, "late", 48), (2, "in_time", 2)]


def test_a_claim_after_the_timeout_is_in_time_by_longer_hours() -> None:
    """Accept by 4 h, taken back after 5 h, resolved after 9 h."""
    record = [silent(1, 0, 4), Stay(2, "r2", 4 * HOUR, 5 * HOUR, "taken"), done(1, 5, 5, 9)]
    assert said(record, terms(4, 24)) == [(1, "late", 4), (2, "neutral", 1), (1, "in_time", 4)]
    assert said(record, terms(6, 24)) == [(1, "in_time", 9)]


def test_a_claim_of_somebody_else_is_no_acceptance_of_the_first() -> None:
    record = [silent(1, 0, 4), Stay(2, "r2", 4 * HOUR, 5 * HOUR, "taken"), Stay(1, "x", 5 * HOUR, None, None, 5 * HOUR)]
    assert said(record, terms(6, 2000))[0] == (1, "silent", 6)


def test_handing_up_in_time_is_neutral_and_too_late_is_late() -> None:
    record = [Stay(1, "r1", 0, 3 * HOUR, "escalated"), done(2, 3, 4, 5)]
    assert said(record, terms(4, 24)) == [(1, "neutral", 3), (2, "in_time", 2)]
    assert said(record, terms(2, 24)) == [(1, "late", 2), (2, "in_time", 2)]


def test_what_a_resident_ended_is_not_the_holders_act() -> None:
    record = [Stay(1, "r1", 0, 3 * HOUR, "withdrawn")]
    assert said(record, terms(4)) == [(1, "neutral", 3)]
    assert said(record, terms(2))[0] == (1, "silent", 2)


def test_at_community_what_is_late_stays_there() -> None:
    record = [Stay(5, "desk", 0, 60 * HOUR, "resolved", 50 * HOUR, overdue=True)]
    assert said(record, terms(8, 24)) == [(5, "late", 60)]
    assert [o.kind for o in recorded(record, END)] == ["late"]
    assert said([Stay(5, "desk", 0)], terms(8)) == [(5, "silent", 1000)]


def test_a_clock_stands_still_when_it_did() -> None:
    pause = Pause(HOUR, 11 * HOUR)
    assert said([done(1, 0, 13, 14, pauses=(pause,))], terms(4, 24)) == [(1, "in_time", 14)]
    assert said([done(1, 0, 15, 16, pauses=(pause,))], terms(4, 24))[0] == (1, "late", 14)


def test_a_case_that_was_held_has_at_least_the_rest_afterwards() -> None:
    held = Pause(23 * HOUR, 40 * HOUR, held=True)
    record = [done(1, 0, 1, 43, pauses=(held,))]
    assert said(record, terms(4, 24))[0] == (1, "late", 41)
    assert said(record, terms(4, 24, rest=4 * HOUR)) == [(1, "in_time", 43)]


def test_a_deadline_that_was_put_off_stays_put_off() -> None:
    assert said([done(1, 0, 1, 90, agreed=100 * HOUR)], terms(4, 24)) == [(1, "in_time", 90)]


def test_after_a_not_solved_the_wait_for_the_answer_is_as_long_as_it_was() -> None:
    """Resolved on Friday at 15:00, "not solved" at 16:30: the next desk has until Monday 09:30."""
    office = Open(spans(Hours.parse("09:00-17:00", "working"), load_holidays(), date(2026, 1, 1), date(2027, 12, 31)))
    by = Terms(dict.fromkeys(range(1, 6), (Running(office, HOUR), None)))
    at = [microseconds_of(f"2026-11-{when}:00+08:00") for when in ("20T14:30", "20T15:00", "20T16:30", "23T09:15")]
    record = [Stay(1, "a", at[0], at[1], "resolved", at[0]), Stay(2, "b", at[2], at[3], "resolved", at[3] - MINUTE)]
    assert [o.kind for o in replayed(record, by, END)] == ["in_time", "in_time"]


def test_after_the_third_no_there_are_no_deadlines() -> None:
    record = [done(n, 10 * n, 10 * n + 1, 10 * n + 2) for n in (1, 2, 3)] + [done(5, 40, 400, 500)]
    assert said(record, terms(4, 24))[-1] == (5, "in_time", 460)


def test_what_is_still_open_within_its_term_stays_open() -> None:
    assert said([Stay(1, "r1", 998 * HOUR)], terms(4)) == [(1, "open", 2)]
    assert said([Stay(1, "r1", 998 * HOUR)], terms(1)) == [(1, "silent", 1), (2, "unrecorded", 0)]


def test_the_instant_of_the_deadline_is_too_late() -> None:
    assert said([done(1, 0, 4, 5)], terms(4, 24))[0] == (1, "late", 4)


def test_hours_of_a_calendar_count() -> None:
    office = Open(spans(Hours.parse("09:00-17:00", "working"), load_holidays(), date(2026, 1, 1), date(2027, 12, 31)))
    friday = microseconds_of("2026-11-20T16:30:00+08:00")
    by = Terms({1: (Running(office, HOUR), None)})
    monday = microseconds_of("2026-11-23T09:30:00+08:00")
    acted = Stay(1, "x", friday, monday - 1, "escalated")
    assert [o.kind for o in replayed([acted], by, monday)] == ["neutral"]
    assert next(replayed([Stay(1, "x", friday, monday, "escalated")], by, monday)).kind == "late"


def microseconds_of(when: str) -> int:
    return microseconds(datetime.fromisoformat(when))


@st.composite
def climbs(draw: st.DrawFn) -> tuple[list[Stay], Terms]:
    """A record made by these very hours: each stay in turn is silent, late, handed up or done."""
    by = terms(draw(st.integers(1, 8)), draw(st.integers(8, 30)))
    accept, resolve = by.clocks[1]
    assert accept
    assert resolve
    at, stays = 0, []
    for rank in range(1, 6):
        what = draw(st.sampled_from(("silent", "slow", "up", "done")))
        if what == "silent" and rank < 5:
            stays.append(Stay(rank, str(rank), at, at + accept.term, "accept_timeout"))
        elif what == "slow" and rank < 5:
            took = draw(st.integers(0, accept.term - 1))
            stays.append(Stay(rank, str(rank), at, at + resolve.term, "resolve_timeout", at + took))
        elif what == "up" and rank < 5:
            stays.append(Stay(rank, str(rank), at, at + draw(st.integers(0, accept.term - 1)), "escalated"))
        else:
            took = draw(st.integers(0, accept.term - 1))
            stays.append(Stay(rank, str(rank), at, at + took + draw(st.integers(0, 1000)), "resolved", at + took))
            break
        at = stays[-1].until or 0
    return stays, by


@given(climbs())
def test_replayed_under_the_hours_it_was_made_by_a_record_stays_as_it_was(made: tuple[list[Stay], Terms]) -> None:
    stays, by = made
    assert list(replayed(stays, by, END)) == list(recorded(stays, END))


@given(climbs(), st.integers(1, 40), st.integers(1, 40))
def test_longer_hours_make_nobody_late_who_was_in_time_at_the_first_level(
    made: tuple[list[Stay], Terms], accept: int, more: int
) -> None:
    stays, _ = made
    short, long = (next(replayed(stays, terms(hours, hours + 24), END)) for hours in (accept, accept + more))
    assert not (short.kind == "in_time" and long.kind == "late")
    assert isinstance(long, Outcome)


@pytest.mark.parametrize("stays", [[], [Stay(1, "x", 0)]])
def test_a_case_without_terms_stays_where_it_is(stays: list[Stay]) -> None:
    assert [o.kind for o in replayed(stays, Terms({}), END)] == ["open"] * len(stays)
