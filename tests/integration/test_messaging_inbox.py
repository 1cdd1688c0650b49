"""Inbox and quarantine on real PostgreSQL: what happens to a batch of bytes, without Kafka."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.db import DatabaseAway, transaction
from shared.ids import new_id
from shared.messaging import consumer, quarantine
from shared.messaging.events import Event
from shared.messaging.inbox import Overtaken, Record
from tests.integration.messaging import Echo, Overtone, Silence, subjects

GAP = "gap: an earlier event has not come yet"


async def test_events_of_one_subject_take_effect_in_order_and_once(echo: Echo) -> None:
    s = new_id()
    await echo.hear(*(echo.record(s, seq) for seq in (1, 2, 3)))
    assert await echo.heard(s) == [1, 2, 3]


async def test_a_duplicate_is_dropped_whether_it_comes_in_the_same_batch_or_later(echo: Echo) -> None:
    s = new_id()
    await echo.hear(echo.record(s, 1), echo.record(s, 1), echo.record(s, 2))
    await echo.hear(echo.record(s, 1), echo.record(s, 2))
    assert await echo.heard(s) == [1, 2]
    assert await echo.quarantined() == []


async def test_topics_count_apart_for_one_subject(echo: Echo) -> None:
    s = new_id()
    await echo.hear(echo.record(s, 1), echo.record(s, 1, Overtone))
    assert await echo.heard(s) == [1, 1]


async def test_an_event_after_a_gap_waits_and_is_applied_in_order_when_the_missing_one_comes(echo: Echo) -> None:
    s = new_id()
    await echo.hear(echo.record(s, 1), echo.record(s, 4), echo.record(s, 3))
    assert await echo.heard(s) == [1]
    assert await echo.quarantined() == [(3, GAP), (4, GAP)]
    await echo.hear(echo.record(s, 2))
    assert await echo.heard(s) == [1, 2, 3, 4]
    assert await echo.quarantined() == []


async def test_an_event_of_a_type_without_handler_counts_as_seen(echo: Echo) -> None:
    s = new_id()
    await echo.hear(echo.record(s, 1, Silence), echo.record(s, 2, type="cn.chuishao.unheard.of.v9"), echo.record(s, 3))
    assert await echo.heard(s) == [3]


async def test_an_event_that_always_fails_lies_in_the_quarantine_with_its_reason(echo: Echo) -> None:
    echo.refuse(2)
    s, other = subjects(2)
    await echo.hear(echo.record(s, 1), echo.record(s, 2), echo.record(other, 1))
    assert (await echo.heard(s), await echo.heard(other)) == ([1], [1])
    ((seq, reason),) = await echo.quarantined()
    assert seq == 2
    assert reason.startswith("failed: RuntimeError at messaging.py:")


async def test_what_follows_a_failed_event_waits_behind_it_and_replay_applies_all_in_order(echo: Echo) -> None:
    echo.refuse(1)
    s = new_id()
    await echo.hear(echo.record(s, 1), echo.record(s, 2))
    await echo.hear(echo.record(s, 3))
    assert await echo.heard(s) == []
    assert [seq for seq, _ in await echo.quarantined()] == [1, 2, 3]
    echo.refuse()
    assert await quarantine.replay(echo.consumer) == (3, 0)
    assert await echo.heard(s) == [1, 2, 3]
    assert await echo.quarantined() == []


async def test_replay_of_what_still_fails_leaves_it_and_all_behind_it(echo: Echo) -> None:
    echo.refuse(1)
    s = new_id()
    await echo.hear(echo.record(s, 1), echo.record(s, 2))
    assert await quarantine.replay(echo.consumer) == (0, 2)
    assert [seq for seq, _ in await echo.quarantined()] == [1, 2]


async def test_replay_of_one_event_applies_what_waits_behind_it_as_well(echo: Echo) -> None:
    echo.refuse(1)
    s = new_id()
    await echo.hear(echo.record(s, 1), echo.record(s, 2))
    echo.refuse()
    assert await quarantine.replay(echo.consumer, (await echo.quarantine_ids())[0]) == (1, 0)
    assert await echo.heard(s) == [1, 2]


async def test_a_dropped_event_counts_as_seen_so_that_later_ones_go_on(echo: Echo) -> None:
    echo.refuse(2)
    s = new_id()
    await echo.hear(echo.record(s, 1), echo.record(s, 2), echo.record(s, 3))
    second, third = await echo.quarantine_ids()
    assert not await echo.drop(third), "what lies before it would be lost unseen"
    assert await echo.drop(second)
    assert await quarantine.replay(echo.consumer) == (1, 0)
    assert await echo.heard(s) == [1, 3]


async def test_dropping_the_first_that_waits_gives_up_the_gap_before_it(echo: Echo) -> None:
    s = new_id()
    await echo.hear(echo.record(s, 5), echo.record(s, 6))
    assert await echo.drop((await echo.quarantine_ids())[0])
    assert await quarantine.replay(echo.consumer) == (1, 0)
    assert await echo.heard(s) == [6]


async def test_dropping_what_is_not_there_says_so(echo: Echo) -> None:
    assert not await echo.drop(4711)


async def test_bytes_that_cannot_be_read_go_to_the_quarantine_and_nothing_waits_for_them(echo: Echo) -> None:
    s = new_id()
    junk = [Record("tone", 0, 1000 + n, b"k", body) for n, body in enumerate((b"", b"\xff", b"[]", b"{}"))]
    await echo.hear(*junk, echo.record(s, 1))
    assert await echo.heard(s) == [1]
    assert [seq for seq, _ in await echo.quarantined()] == [None] * 4
    assert all(reason.startswith("unreadable: ") for _, reason in await echo.quarantined())
    assert await echo.drop((await echo.quarantine_ids())[0])


@pytest.mark.parametrize("seq", [0, -1, 2**63, 1.5, "1", None])
async def test_an_impossible_seq_is_unreadable(echo: Echo, seq: Any) -> None:
    await echo.hear(echo.record(new_id(), seq))
    assert [found for found, _ in await echo.quarantined()] == [None]


async def test_unreadable_data_holds_back_its_subject_until_it_is_dropped(echo: Echo) -> None:
    s = new_id()
    await echo.hear(echo.record(s, 1, data={"number": "words"}), echo.record(s, 2))
    assert await echo.quarantined() == [(1, "unreadable: ValidationError"), (2, GAP)]
    assert await echo.drop((await echo.quarantine_ids())[0])
    assert await quarantine.replay(echo.consumer) == (1, 0)
    assert await echo.heard(s) == [2]


async def test_a_failing_event_that_waited_does_not_take_along_the_one_before_it(echo: Echo) -> None:
    echo.refuse(2)
    s = new_id()
    await echo.hear(echo.record(s, 2))
    await echo.hear(echo.record(s, 1))
    assert await echo.heard(s) == [1]
    ((seq, reason),) = await echo.quarantined()
    assert seq == 2
    assert reason.startswith("failed: RuntimeError"), "its newest reason is the true one"


async def test_a_failed_event_of_another_topic_is_not_tried_with_every_event_of_its_subject(echo: Echo) -> None:
    tried: list[str] = []

    async def step(conn: AsyncConnection, events: Sequence[Event]) -> None:
        tried.extend(event.topic for event in events)
        if any(event.topic == "overtone" for event in events):
            raise RuntimeError

    echo.then = [step]
    s = new_id()
    await echo.hear(echo.record(s, 1, Overtone))
    tried.clear()
    await echo.hear(echo.record(s, 1), echo.record(s, 2))
    assert await echo.heard(s) == [1, 2]
    assert tried == ["tone", "tone"]


async def test_a_failed_event_that_comes_again_lies_in_the_quarantine_once(echo: Echo) -> None:
    echo.refuse(1)
    s = new_id()
    await echo.hear(echo.record(s, 1))
    await echo.hear(echo.record(s, 1))
    assert len(await echo.quarantined()) == 1


async def test_a_rebuilt_kafka_whose_offsets_begin_anew_loses_nothing_that_fails(echo: Echo) -> None:
    echo.refuse(1)
    before, after = (echo.record(s, 1) for s in subjects(2))
    await echo.hear(before)
    await echo.hear(Record(after.topic, before.partition, before.offset, after.key, after.body))
    assert len(await echo.quarantined()) == 2


async def test_two_consumers_that_overlap_in_a_rebalance_apply_an_event_once(echo: Echo) -> None:
    s = new_id()
    both_inside = asyncio.Barrier(2)

    async def step(conn: AsyncConnection, events: Sequence[Event]) -> None:
        await both_inside.wait()

    async with echo.process() as other:
        echo.then = other.then = [step]
        results = await asyncio.gather(
            echo.hear(echo.record(s, 1)), other.hear(echo.record(s, 1)), return_exceptions=True
        )
    assert [type(result) for result in results if result] == [Overtaken], "its batch is repeated"
    assert await echo.heard(s) == [1]
    assert await echo.quarantined() == []


async def test_a_handler_that_never_ends_is_stopped_and_its_event_quarantined(
    echo: Echo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "HANDLER_SECONDS", 0.3)

    async def step(conn: AsyncConnection, events: Sequence[Event]) -> None:
        if any(event.data.number == 2 for event in events):
            await conn.execute(text("SELECT pg_sleep(60)"))

    echo.then = [step]
    s, other = subjects(2)
    await echo.hear(echo.record(s, 1), echo.record(s, 2), echo.record(other, 1))
    assert (await echo.heard(s), await echo.heard(other)) == ([1], [1])
    ((seq, reason),) = await echo.quarantined()
    assert seq == 2
    assert reason.startswith("failed: TimeoutError")


async def _kill_own_connection(conn: AsyncConnection, events: Sequence[Event]) -> None:
    await conn.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))


async def _wait_for_a_lock_in_vain(conn: AsyncConnection, events: Sequence[Event]) -> None:
    await conn.execute(text("SET LOCAL lock_timeout = '10ms'"))
    await conn.execute(text("SELECT pg_advisory_xact_lock(77)"))


@pytest.mark.parametrize("trouble", [_kill_own_connection, _wait_for_a_lock_in_vain])
async def test_trouble_with_the_database_repeats_the_batch_and_quarantines_nothing(echo: Echo, trouble: Any) -> None:
    s = new_id()
    records = [echo.record(s, 1), echo.record(s, 2)]
    echo.then = [trouble]
    async with transaction(echo.owner) as conn:
        await conn.execute(text("SELECT pg_advisory_xact_lock(77)"))
        with pytest.raises(DatabaseAway):
            await echo.hear(*records)
    echo.then = []
    assert (await echo.heard(s), await echo.quarantined()) == ([], [])
    await echo.hear(*records)
    assert await echo.heard(s) == [1, 2]


async def test_trouble_while_catching_up_repeats_the_batch_as_well(echo: Echo) -> None:
    s = new_id()
    await echo.hear(echo.record(s, 2))

    async def step(conn: AsyncConnection, events: Sequence[Event]) -> None:
        if events[0].seq == 2:
            await _wait_for_a_lock_in_vain(conn, events)

    echo.then = [step]
    async with transaction(echo.owner) as conn:
        await conn.execute(text("SELECT pg_advisory_xact_lock(77)"))
        with pytest.raises(DatabaseAway):
            await echo.hear(echo.record(s, 1))
    assert await echo.quarantined() == [(2, GAP)]


async def test_an_error_of_a_handler_that_only_looks_like_a_lost_connection_is_quarantined(echo: Echo) -> None:
    async def step(conn: AsyncConnection, events: Sequence[Event]) -> None:
        raise FileNotFoundError

    echo.then = [step]
    await echo.hear(echo.record(new_id(), 1))
    assert [seq for seq, _ in await echo.quarantined()] == [1]
