"""When a message may go: quiet hours and bundling."""

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.notify import policies
from services.notify.domain.audience import Hold
from services.notify.domain.policy import QuietHours, parse_policy
from services.notify.domain.slots import ZONE, Wish, quiet_until, slots

DEFAULT, DEMO = parse_policy(policies.named("default")), parse_policy(policies.named("demo"))
NIGHT = QuietHours(time(22), time(7))
LEADER = UUID(int=1)
MOMENTS = st.integers(0, 365 * 24 * 60).map(
    lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)


def shanghai(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=ZONE).astimezone(UTC)


def assigned(hold: Hold = Hold.VOLUNTEER) -> Wish:
    return Wish(LEADER, bundles=True, hold=hold)


@given(MOMENTS)
def test_quiet_hours_hold_exactly_the_night_and_end_at_seven(at: datetime) -> None:
    end = quiet_until(NIGHT, at)
    local = at.astimezone(ZONE)
    assert (end is not None) == (local.time() >= time(22) or local.time() < time(7))
    if end is not None:
        assert end.astimezone(ZONE).time() == time(7)
        assert timedelta(0) < end - at <= timedelta(hours=9)


@given(MOMENTS, st.sampled_from(Hold), st.integers(0, 60))
def test_nothing_goes_before_it_is_known_and_nothing_waits_beyond_the_morning(
    at: datetime, hold: Hold, minutes: int
) -> None:
    wish = Wish(LEADER, False, hold, at - timedelta(minutes=minutes))
    (slot,) = slots([wish], {}, DEFAULT, at)
    assert at <= slot <= at + timedelta(hours=9)


@given(MOMENTS, st.sampled_from([Hold.NEVER, Hold.RESIDENT]))
def test_desks_and_answers_are_never_held(at: datetime, hold: Hold) -> None:
    assert slots([Wish(LEADER, False, hold, at - timedelta(minutes=9))], {}, DEFAULT, at) == [at]


@given(MOMENTS, st.lists(st.sampled_from(Hold), min_size=1, max_size=5))
def test_under_demo_nothing_waits(at: datetime, holds: list[Hold]) -> None:
    assert set(slots([Wish(LEADER, True, hold) for hold in holds], {LEADER: at}, DEMO, at)) == {at}


def test_a_resident_who_spoke_an_hour_ago_is_left_to_sleep() -> None:
    night = shanghai(24, 23)
    wish = Wish(LEADER, False, Hold.RESIDENT, night - timedelta(hours=1))
    assert slots([wish], {}, DEFAULT, night) == [shanghai(25, 7)]


def test_case_11_the_first_goes_at_once_and_the_rest_together_two_minutes_later() -> None:
    noon = shanghai(24, 12)
    assert slots([assigned()] * 4, {}, DEFAULT, noon) == [noon] + [noon + timedelta(minutes=2)] * 3


def test_who_waits_joins_those_who_wait_already() -> None:
    noon = shanghai(24, 12)
    waiting = noon + timedelta(minutes=1)
    assert slots([assigned()], {LEADER: waiting}, DEFAULT, noon) == [waiting]


@given(st.lists(st.integers(0, 300), min_size=1, max_size=30))
def test_one_person_gets_at_most_one_bundle_in_two_minutes(seconds: list[int]) -> None:
    start, last, given_slots = shanghai(24, 12), {}, set()
    for second in sorted(seconds):
        now = start + timedelta(seconds=second)
        (slot,) = slots([assigned()], last, DEFAULT, now)
        last = {LEADER: slot}
        given_slots.add(slot)
    times = sorted(given_slots)
    assert all(b - a >= timedelta(minutes=2) for a, b in pairwise(times))
