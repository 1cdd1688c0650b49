"""What providers refuse or throw away beyond a number is not sent before its time."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.notify import policies
from services.notify.domain.limits import WECOM, Limiter, Rate, rates
from services.notify.domain.policy import parse_policy

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
PERSON = UUID(int=1)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def limiter(channel: str, *ago: timedelta, policy: str = "default") -> Limiter:
    sent = {(PERSON, channel): sorted(NOW - each for each in ago)}
    return Limiter(rates(parse_policy(policies.named(policy))), NOW, sent)


def test_a_second_text_waits_for_the_end_of_the_minute() -> None:
    assert limiter("sms", timedelta(seconds=20)).until(PERSON) == {"sms": NOW + timedelta(seconds=40)}
    assert limiter("sms", MINUTE).until(PERSON) == {}
    assert limiter("sms", timedelta(seconds=20), policy="demo").until(PERSON) == {}


def test_the_fiftieth_text_of_a_day_is_the_last() -> None:
    fifty = [timedelta(minutes=20 * n + 5) for n in range(50)]
    assert limiter("sms", *fifty).until(PERSON) == {"sms": NOW - fifty[-1] + timedelta(days=1)}


def test_a_member_gets_thirty_cards_a_minute_and_a_thousand_an_hour() -> None:
    burst = [timedelta(seconds=n) for n in range(30)]
    assert limiter("wecom", *burst[:29]).until(PERSON) == {}
    assert limiter("wecom", *burst).until(PERSON) == {"wecom": NOW - burst[-1] + MINUTE}
    many = [timedelta(seconds=61 + n * 3) for n in range(1000)]
    assert limiter("wecom", *many).until(PERSON) == {"wecom": NOW - many[-1] + HOUR}


def test_one_channel_s_limit_is_no_other_s() -> None:
    assert limiter("wechat", *[timedelta(seconds=1)] * 100).until(PERSON) == {}


@given(st.lists(st.integers(0, 120), max_size=80))
def test_no_minute_ever_holds_more_than_its_number(gaps: list[int]) -> None:
    sent: list[datetime] = []
    now = NOW
    for gap in gaps:
        now += timedelta(seconds=gap / 10)
        each = Limiter({"wecom": WECOM}, now, {(PERSON, "wecom"): sent})
        if not each.until(PERSON):
            sent.append(now)
    for start in sent:
        assert sum(start <= at < start + MINUTE for at in sent) <= 30


def test_what_goes_in_one_batch_counts() -> None:
    one = Limiter({"sms": [Rate(2, MINUTE)]}, NOW, {})
    for expected in ({}, {}, {"sms": NOW + MINUTE}):
        assert one.until(PERSON) == expected
        one.count(PERSON, "sms")
