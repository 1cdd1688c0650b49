"""Providers in every mood: nobody is told twice, and nobody is forgotten."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from sandbox.inbound import send_from_phone
from sandbox.receipts import signed
from services.notify.channels import base
from services.notify.jobs import deliver, find_out
from services.notify.sending import claim, record
from services.notify.wires import wired
from shared.embedded import Endpoints
from tests.integration.notifying import LEADER, OPENID, PHONES, SMS_ONLY, Notifying, notifying

ORPHANED = "UPDATE notify.attempt SET lease_until = now() - interval '1 second' WHERE state = 'sending'"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shared(instance: Endpoints) -> AsyncIterator[Notifying]:
    async with notifying(instance) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def n(shared: Notifying) -> AsyncIterator[Notifying]:
    """Each test begins with well-behaved providers, live addresses, and telephones that rested."""
    yield shared
    for provider in ("alibaba", "wechat"):
        await shared.mood(provider, "clear")
    await shared.mood("wechat", "consents", address=OPENID, times=1000)
    await shared.use()
    await shared.rows("UPDATE vault.channel SET dead_at = NULL, dead_reason = NULL")
    await shared.rows("DELETE FROM notify.refusal")
    await shared.rows("UPDATE notify.message SET state = 'expired', held = false WHERE state = 'queued'")
    await shared.rows("UPDATE notify.message SET next_attempt_at = NULL")
    await shared.rows("UPDATE sandbox.report SET next_at = NULL")
    await shared.advance(days=2)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls time out after half a second."""
    monkeypatch.setattr(base, "TIMEOUT", 0.5)


async def test_a_message_is_sent_once_and_delivered(n: Notifying) -> None:
    case = await n.assign(LEADER)
    await n.run()
    assert await n.attempts(case) == [("wechat", 1, "delivered", None)]
    assert (await n.message(case))["state"] == "delivered"
    assert await n.events(case) == [("delivered", 1)]
    assert len(await n.arrived(case)) == 1


async def test_case_12_a_provider_s_refusal_goes_to_the_next_channel(n: Notifying) -> None:
    await n.mood("wechat", "refuse", code="48001", address=OPENID)
    case = await n.assign(LEADER)
    await n.run()
    assert await n.attempts(case) == [("wechat", 1, "failed", "48001"), ("sms", 1, "delivered", None)]


async def test_case_12_a_failed_receipt_goes_to_the_next_channel(n: Notifying) -> None:
    await n.mood("wechat", "fail_receipt", code="user block", address=OPENID)
    case = await n.assign(LEADER)
    await n.run()
    assert await n.attempts(case) == [
        ("wechat", 1, "failed", "receipt:failed:user block"),
        ("sms", 1, "delivered", None),
    ]


async def test_case_12_a_temporary_error_is_tried_three_times_fifteen_seconds_apart(n: Notifying) -> None:
    await n.mood("alibaba", "refuse", code="isp.SYSTEM_ERROR", address=PHONES[SMS_ONLY], times=2)
    case = await n.assign(SMS_ONLY)
    tries = []
    for _ in range(4):
        await n.run()
        tries.append(len(await n.attempts(case)))
        await n.advance(seconds=14)
        await n.run()
        tries.append(len(await n.attempts(case)))
        await n.advance(seconds=2)
    assert tries == [1, 1, 2, 2, 3, 3, 3, 3]
    assert (await n.message(case))["state"] == "delivered"


async def test_case_12_after_three_temporary_errors_a_person_without_another_channel_is_not_told(n: Notifying) -> None:
    await n.mood("alibaba", "refuse", code="isp.SYSTEM_ERROR", address=PHONES[SMS_ONLY])
    case = await n.assign(SMS_ONLY)
    for _ in range(4):
        await n.run()
        await n.advance(seconds=16)
    assert [state for *_, state, _ in await n.attempts(case)] == ["failed"] * 3
    assert (await n.message(case))["state"] == "failed"
    assert await n.events(case) == [("failed", 1)]


@pytest.mark.usefixtures("hurried")
async def test_case_12_after_a_time_out_the_status_is_asked_and_no_second_text_sent(n: Notifying) -> None:
    await n.use(retry={"tries": 3, "pause": "0.2s"})
    await n.mood("alibaba", "timeout_after_accept", seconds=1, address=PHONES[SMS_ONLY], times=1)
    case = await n.assign(SMS_ONLY)
    await deliver(n.notify)
    assert await n.attempts(case) == [("sms", 1, "unknown", None)]
    await _until_asked(n)
    assert (await n.message(case))["state"] == "delivered"
    assert len(await n.attempts(case)) == 1
    assert len(await n.arrived(case)) == 1


@pytest.mark.usefixtures("hurried")
async def test_case_12_a_call_that_never_arrived_is_asked_about_before_it_is_made_again(n: Notifying) -> None:
    await n.use(retry={"tries": 3, "pause": "0.2s"})
    await n.mood("alibaba", "slow", seconds=1, address=PHONES[SMS_ONLY], times=1)
    await n.mood("alibaba", "refuse", code="isp.SYSTEM_ERROR", address=PHONES[SMS_ONLY], times=1)
    case = await n.assign(SMS_ONLY)
    await deliver(n.notify)
    await _until_asked(n)
    await n.advance(seconds=1)
    await n.run()
    assert await n.attempts(case) == [("sms", 1, "failed", "unanswered"), ("sms", 2, "delivered", None)]
    assert len(await n.arrived(case)) == 1


@pytest.mark.usefixtures("hurried")
async def test_case_12_a_wechat_time_out_is_repeated_under_the_same_id(n: Notifying) -> None:
    await n.use(retry={"tries": 3, "pause": "0.2s"})
    await n.mood("wechat", "timeout_after_accept", seconds=1, address=OPENID, times=1)
    case = await n.assign(LEADER)
    await deliver(n.notify)
    assert await n.attempts(case) == [("wechat", 1, "unknown", None)]
    await _until_asked(n)
    await n.run()
    assert await n.attempts(case) == [("wechat", 1, "delivered", None)]
    assert len(await n.arrived(case)) == 1


async def _until_asked(n: Notifying) -> None:
    """Asks until every call's end is known."""
    for _ in range(100):
        await find_out(n.notify)
        if not await n.rows("SELECT 1 FROM notify.attempt WHERE state IN ('sending', 'unknown')"):
            return
        await asyncio.sleep(0.05)
    raise AssertionError("a call's end stays unknown")


async def test_case_04_killed_before_the_call_it_is_sent_once_after_asking(n: Notifying) -> None:
    case = await n.assign(SMS_ONLY)
    assert len(await claim(n.notify, 10)) == 1  # committed as `sending`; the process dies here
    await n.run()
    assert await n.attempts(case) == [("sms", 1, "sending", None)], "nobody touches it before its lease ends"
    await n.rows(ORPHANED)
    await find_out(n.notify)
    await n.advance(seconds=15)
    await n.run()
    assert await n.attempts(case) == [("sms", 1, "failed", "unsent"), ("sms", 2, "delivered", None)]
    assert len(await n.arrived(case)) == 1


async def test_case_04_killed_after_the_call_it_is_not_sent_again(n: Notifying) -> None:
    case = await n.assign(SMS_ONLY)
    (call,) = await claim(n.notify, 10)
    await wired(n.notify).channels["sms"].send(call.order)  # and the process dies before it writes that down
    await n.rows(ORPHANED)
    await n.run()
    assert (await n.message(case))["state"] == "delivered"
    assert len(await n.attempts(case)) == 1
    assert len(await n.arrived(case)) == 1


async def test_case_13_receipts_twice_or_before_the_answer_or_late_change_nothing_back(n: Notifying) -> None:
    await n.mood("wechat", "double_receipts", address=OPENID)
    await n.mood("wechat", "early_receipt", address=OPENID)
    case = await n.assign(LEADER)
    await n.run()
    assert await n.attempts(case) == [("wechat", 1, "delivered", None)]
    assert await n.events(case) == [("delivered", 1)]

    (entry,) = await n.arrived(case)
    await _wechat_says(n, entry.ref, "failed:user block")
    assert (await n.message(case))["state"] == "delivered"
    assert await n.attempts(case) == [("wechat", 1, "delivered", None)]
    assert await n.events(case) == [("delivered", 1)]


async def _wechat_says(n: Notifying, ref: str, status: str) -> None:
    xml = f"<xml><Event>TEMPLATESENDJOBFINISH</Event><MsgID>{ref}</MsgID><Status>{status}</Status></xml>"
    query = signed(n.providers.wechat_token)
    answer = await n.http.post(n.providers.callback("wechat"), content=xml.encode(), params=query)
    assert answer.text == "success"


async def test_case_13_a_text_s_receipt_before_the_answer_is_kept(n: Notifying) -> None:
    await n.mood("alibaba", "early_receipt", address=PHONES[SMS_ONLY])
    case = await n.assign(SMS_ONLY)
    await deliver(n.notify)
    assert await n.attempts(case) == [("sms", 1, "delivered", None)]
    (row,) = await n.rows(
        "SELECT a.cost, a.provider_ref FROM notify.attempt a JOIN notify.message m ON m.id = a.message"
        " WHERE m.issue = :i",
        i=case,
    )
    assert float(row["cost"]) == 0.045
    assert row["provider_ref"]


async def test_case_13_the_second_receipt_before_the_first(n: Notifying) -> None:
    await n.mood("wechat", "no_receipts", address=OPENID)
    case = await n.assign(LEADER)
    await n.run()
    await n.advance(seconds=121)
    await n.run()
    assert await n.attempts(case) == [("wechat", 1, "sent", None), ("sms", 1, "delivered", None)]
    (first, _) = await n.arrived(case)
    for status in ("failed:user block", "success"):
        await _wechat_says(n, first.ref, status)
    assert (await n.message(case))["state"] == "delivered"
    assert await n.attempts(case) == [
        ("wechat", 1, "failed", "receipt:failed:user block"),
        ("sms", 1, "delivered", None),
    ]
    assert await n.events(case) == [("delivered", 1)]


async def test_no_receipt_by_any_channel_leaves_the_message_sent(n: Notifying) -> None:
    for provider in ("wechat", "alibaba"):
        await n.mood(provider, "no_receipts")
    case = await n.assign(LEADER)
    for minutes in (0, 3, 6, 60):
        await n.advance(minutes=minutes)
        await n.run()
    assert [(c, k, s) for c, k, s, _ in await n.attempts(case)] == [("wechat", 1, "sent"), ("sms", 1, "sent")]
    assert (await n.message(case))["state"] == "sent"


async def test_urgent_goes_by_two_channels_at_once(n: Notifying) -> None:
    case = await n.assign(LEADER, "urgent")
    await n.run()
    assert sorted(await n.attempts(case)) == [("sms", 1, "delivered", None), ("wechat", 1, "delivered", None)]
    assert await n.events(case) == [("delivered", 1)]


async def test_a_dead_address_is_not_tried_again(n: Notifying) -> None:
    await n.mood("wechat", "refuse", code="40003", address=OPENID, times=1)
    first = await n.assign(LEADER)
    await n.run()
    assert [channel for channel, *_ in await n.attempts(first)] == ["wechat", "sms"]
    await n.advance(minutes=5)
    second = await n.assign(LEADER)
    await n.run()
    assert [channel for channel, *_ in await n.attempts(second)] == ["sms"]


async def test_a_used_up_consent_counts_for_that_template_only(n: Notifying) -> None:
    await n.mood("wechat", "consents", address=OPENID, times=0)
    first = await n.assign(LEADER)
    await n.run()
    assert await n.attempts(first) == [("wechat", 1, "failed", "43101"), ("sms", 1, "delivered", None)]
    refusals = await n.rows("SELECT channel, template FROM notify.refusal")
    assert refusals == [{"channel": "wechat", "template": "assigned"}]
    assert not await n.rows("SELECT 1 FROM vault.channel WHERE dead_at IS NOT NULL")
    await n.advance(minutes=5)
    second = await n.assign(LEADER)
    await n.run()
    assert [channel for channel, *_ in await n.attempts(second)] == ["sms"]


async def test_a_replaced_token_is_fetched_anew_once(n: Notifying) -> None:
    await n.assign(LEADER)
    await n.run()
    await n.rows("UPDATE sandbox.token SET digest = 'x'")
    await n.advance(minutes=5)
    case = await n.assign(LEADER)
    await n.run()
    assert await n.attempts(case) == [("wechat", 1, "delivered", None)]


async def test_a_wrong_template_stops_the_message(n: Notifying) -> None:
    await n.mood("wechat", "refuse", code="47003", address=OPENID)
    case = await n.assign(LEADER)
    await n.run()
    assert await n.attempts(case) == [("wechat", 1, "failed", "47003")]
    assert (await n.message(case))["state"] == "failed"


async def test_case_30_one_rejected_address_holds_back_no_other(n: Notifying) -> None:
    await n.mood("alibaba", "refuse", code="isv.MOBILE_NUMBER_ILLEGAL", address=PHONES[SMS_ONLY])
    cases = [await n.assign(no) for no in (SMS_ONLY, "P022", "P023")]
    await n.run()
    assert [(await n.message(case))["state"] for case in cases] == ["failed", "delivered", "delivered"]


async def test_our_frequency_rule_keeps_the_provider_s(n: Notifying) -> None:
    await n.use(bundling="0s")
    cases = [await n.assign(SMS_ONLY) for _ in range(3)]
    counts = []
    for _ in range(4):
        await n.run()
        counts.append(sum([len(await n.arrived(case)) for case in cases]))
        await n.advance(seconds=61)
    assert counts == [1, 2, 3, 3]
    assert not await n.rows("SELECT 1 FROM notify.attempt WHERE error LIKE '%BUSINESS_LIMIT_CONTROL'")


async def test_two_senders_at_once_send_once(n: Notifying) -> None:
    cases = [await n.assign(no) for no in (LEADER, SMS_ONLY, "P022", "P023")]
    await asyncio.gather(*(deliver(n.notify) for _ in range(4)))
    assert [len(await n.arrived(case)) for case in cases] == [1, 1, 1, 1]


async def test_answers_recorded_twice_count_once(n: Notifying) -> None:
    case = await n.assign(SMS_ONLY)
    (call,) = await claim(n.notify, 10)
    answer: Any = await wired(n.notify).channels["sms"].send(call.order)
    await record(n.notify, [(call, answer)])
    await record(n.notify, [(call, answer)])
    await n.run()
    assert await n.attempts(case) == [("sms", 1, "delivered", None)]


async def test_inbound_texts_are_kept_once(n: Notifying) -> None:
    for _ in range(2):
        assert await send_from_phone(n.providers, PHONES[SMS_ONLY], "1", "77") == '{"code":0,"msg":"成功"}'
    rows = await n.rows("SELECT person, content FROM notify.inbound WHERE sequence_id = '77'")
    assert rows == [{"person": await n.person(SMS_ONLY), "content": "1"}]


async def test_callbacks_want_their_secret_and_their_signature(n: Notifying) -> None:
    wrong = n.providers.callback("alibaba")[:-4] + "0000"
    assert (await n.http.post(wrong, content=b"[]")).status_code == 404
    assert (await n.http.post(n.providers.callback("wechat"), content=b"<xml/>")).status_code == 404
    assert (await n.http.post(n.providers.callback("alibaba"), content=b"{")).status_code == 400
    query = signed(n.providers.wechat_token) | {"echostr": "hello"}
    echo = await n.http.get(n.providers.callback("wechat"), params=query)
    assert (echo.status_code, echo.text) == (200, "hello")


async def test_no_telephone_is_stored_in_the_clear(n: Notifying) -> None:
    await n.assign(SMS_ONLY)
    await n.assign(LEADER)
    await n.run()
    tables = await n.rows(
        "SELECT table_schema AS s, table_name AS t FROM information_schema.tables"
        " WHERE table_schema IN ('notify', 'sandbox') AND table_type = 'BASE TABLE'"
    )
    for table in tables:
        found = await n.rows(f"SELECT t::text AS row FROM {table['s']}.{table['t']} t")
        for row in found:
            assert not [a for a in ("19900000016", "19900000018", OPENID) if a in row["row"]], table
