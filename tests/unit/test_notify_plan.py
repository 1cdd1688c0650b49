"""What is done next with a message, from the history of its attempts."""

from datetime import UTC, datetime, timedelta

import pytest

from services.notify import policies
from services.notify.domain.outcomes import Action, action_for
from services.notify.domain.plan import Attempt, GiveUp, Send, State, Step, Wait, next_step
from services.notify.domain.policy import parse_policy

POLICY = parse_policy(policies.named("default"))
NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
BOTH = ["wechat", "sms"]


def tried(channel: str, state: State, error: str | None = None, n: int = 1, ago: float = 0, wait: float | None = None):
    at = NOW - timedelta(seconds=ago)
    return Attempt(channel, n, state, error, at, at + timedelta(seconds=wait) if wait is not None else None)


def step(*history: Attempt, channels: list[str] = BOTH, urgent: bool = False, **more) -> Step:
    return next_step(channels, history, urgent=urgent, policy=POLICY, now=NOW, **more)


def test_a_new_message_goes_by_the_first_channel() -> None:
    assert step() == Send((("wechat", 1),))


def test_an_urgent_one_goes_by_two_at_once() -> None:
    assert step(urgent=True) == Send((("wechat", 1), ("sms", 1)))


def test_nobody_is_told_who_has_no_channel() -> None:
    assert step(channels=[]) == GiveUp()


@pytest.mark.parametrize("code", ["43101", "40003", "43004", "50005", "40164", "48001", "99999", "never-known"])
def test_case_12_a_refusal_opens_the_next_channel(code: str) -> None:
    assert step(tried("wechat", "failed", code)) == Send((("sms", 1),))


def test_case_12_a_temporary_error_is_tried_three_times_fifteen_seconds_apart() -> None:
    first = tried("sms", "failed", "isp.SYSTEM_ERROR", ago=5)
    assert step(first, channels=["sms"]) == Wait(NOW + timedelta(seconds=10))
    later = tried("sms", "failed", "isp.SYSTEM_ERROR", ago=15)
    assert step(later, channels=["sms"]) == Send((("sms", 2),))
    three = [tried("sms", "failed", "isp.SYSTEM_ERROR", n, ago=15) for n in (1, 2, 3)]
    assert step(*three, channels=["sms"]) == GiveUp()
    assert step(*three, channels=["sms", "wechat"]) == Send((("wechat", 1),))


def test_case_04_a_call_that_died_with_us_before_the_provider_heard_of_it_is_no_try() -> None:
    unsent = [tried("sms", "failed", "unsent", n, ago=15) for n in (1, 2, 3)]
    assert step(*unsent, channels=["sms"]) == Send((("sms", 4),))
    refused = [tried("sms", "failed", "isp.SYSTEM_ERROR", n, ago=15) for n in (4, 5, 6)]
    assert step(*unsent, *refused[:2], channels=["sms"]) == Send((("sms", 6),))
    assert step(*unsent, *refused, channels=["sms"]) == GiveUp()


def test_case_12_nothing_is_sent_while_the_end_of_a_call_is_unknown() -> None:
    assert step(tried("wechat", "unknown", ago=1, wait=60)) == Wait(NOW + timedelta(seconds=59))


def test_a_template_that_is_wrong_is_wrong_by_every_channel() -> None:
    assert step(tried("wechat", "failed", "47003")) == GiveUp()


def test_no_receipt_in_time_opens_the_next_channel() -> None:
    assert step(tried("wechat", "sent", ago=119, wait=120)) == Wait(NOW + timedelta(seconds=1))
    assert step(tried("wechat", "sent", ago=120, wait=120)) == Send((("sms", 1),))


def test_silence_by_every_channel_is_no_failure() -> None:
    silent = tried("wechat", "sent", ago=600, wait=120), tried("sms", "sent", ago=600, wait=300)
    assert step(*silent) == Wait(None)


def test_a_failed_receipt_opens_the_next_channel() -> None:
    failed = tried("sms", "failed", "receipt:MOBILE_NOT_ON_SERVICE")
    assert step(failed, channels=["sms", "wechat"]) == Send((("wechat", 1),))


def test_too_many_texts_for_a_number_means_another_channel_or_later() -> None:
    limited = tried("sms", "failed", "isv.BUSINESS_LIMIT_CONTROL")
    assert step(limited, channels=["sms", "wechat"]) == Send((("wechat", 1),))
    assert step(limited, channels=["sms"]) == Wait(NOW + timedelta(minutes=1))


def test_our_own_frequency_rule_waits_before_the_provider_refuses() -> None:
    until = NOW + timedelta(seconds=30)
    assert step(channels=["sms"], limits={"sms": until}) == Wait(until)
    assert step(limits={"sms": until}, urgent=True) == Send((("wechat", 1),))


def test_a_channel_that_was_dropped_meanwhile_is_not_tried_again() -> None:
    assert step(tried("wechat", "failed", "-1", ago=60), channels=["sms"]) == Send((("sms", 1),))


@pytest.mark.parametrize(
    ("provider", "code", "action"),
    [
        ("alibaba", "isp.SYSTEM_ERROR", Action.RETRY),
        ("alibaba", "isv.MOBILE_NUMBER_ILLEGAL", Action.DROP_ADDRESS),
        ("alibaba", "receipt:MOBILE_NOT_ON_SERVICE", Action.DROP_ADDRESS),
        ("alibaba", "isv.INVALID_JSON_PARAM", Action.STOP),
        ("alibaba", "isv.AMOUNT_NOT_ENOUGH", Action.OPERATOR),
        ("alibaba", "isv.SOMETHING_NEW", Action.OPERATOR),
        ("wechat", "-1", Action.RETRY),
        ("wechat", "43101", Action.DROP_CONSENT),
        ("wechat", "40003", Action.DROP_ADDRESS),
        ("wechat", "47003", Action.STOP),
        ("wechat", "40001", Action.OPERATOR),  # a token refused twice
    ],
)
def test_an_error_means_what_the_table_says(provider: str, code: str, action: Action) -> None:
    assert action_for(provider, code) is action
