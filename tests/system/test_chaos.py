"""The real system, ill-treated: killed, cut off from Kafka, cut off from PostgreSQL. Nothing acknowledged is lost,
nothing happens twice, nothing early, and it comes back by itself.

The seed of a run is printed; CHUISHAO_CHAOS_SEED repeats it.
"""

import asyncio
import os
import random
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from chuishao.target import as_owner
from shared.auth import Principal, issue_token
from shared.db import LADDER_EXCLUSIVE, DatabaseAway
from tests.system.lives import end_well, inhabited
from tests.system.living import Living, Outside, living, outside, unborn, until
from tests.system.residents import COMMAND, PLACES, C, Issue, Residents, people

pytestmark = [pytest.mark.system, pytest.mark.chaos]

ISSUES, CLIENTS, KILLS = 300, 12, 10
KAFKA_AWAY = 60.0
POSTGRES_AWAY = 10.0
NOT_OPEN = "SELECT id FROM intake.issue EXCEPT SELECT id FROM routing.cases"
NOT_TOLD = "SELECT id FROM intake.outbox WHERE published_at IS NULL"
LATENESS = """
SELECT count(*) AS moves, extract(epoch FROM max(h.until - h.since - interval '1 microsecond' * CASE h.ended_by
           WHEN 'accept_timeout' THEN t.accept_term ELSE t.resolve_term END))::float AS late
  FROM routing.hops h JOIN routing.cases c ON c.id = h.case_id
  JOIN routing.term t ON t.policy = c.policy AND t.class = c.class AND t.rank = h.rank
 WHERE h.ended_by IN ('accept_timeout', 'resolve_timeout') AND h.until >= CAST(:since AS timestamptz)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A directory with a short path."""
    with tempfile.TemporaryDirectory(prefix="chuishao-chaos-", ignore_cleanup_errors=True) as found:
        yield Path(found)


@pytest.fixture
def chance() -> random.Random:
    seed = int(os.environ.get("CHUISHAO_CHAOS_SEED") or random.randrange(10**6))
    print(f"\nCHUISHAO_CHAOS_SEED={seed}")
    return random.Random(seed)


# -- everything is killed -----------------------------------------------------------------------------------
async def test_killed_ten_times_it_loses_nothing_and_does_nothing_twice(folder: Path, chance: random.Random) -> None:
    async with living(folder) as system, inhabited(system, chance) as residents:
        issues = iter(range(ISSUES))

        async def client() -> None:
            for _ in issues:
                await residents.live()
                await asyncio.sleep(chance.uniform(0, 0.6))

        async with asyncio.TaskGroup() as group:
            for _ in range(CLIENTS):
                group.create_task(client())
            group.create_task(_kill_again_and_again(system, residents, chance))
        await end_well(system, residents.remembered)
        print(f"{residents.remembered.acts.total()} acts, {residents.remembered.retries} retries")


async def _kill_again_and_again(system: Living, residents: Residents, chance: random.Random) -> None:
    """At random moments of the reporting; every third start is cut short as well."""
    for number, moment in enumerate(sorted(chance.sample(range(5, ISSUES - 5), KILLS))):
        await until(lambda moment=moment: _reported(residents, moment), 240)
        await asyncio.sleep(chance.uniform(0, 0.5))
        if number % 3 == 0:
            await system.kill()
            await system.begin()
            await asyncio.sleep(chance.uniform(0, 4))
        await system.kill()
        killed = time.monotonic()
        await system.start()
        ready = time.monotonic()
        issue = await residents.report(PLACES[0], "FAC.light")
        opened = await until(lambda issue=issue: _opened(residents, issue), 60)
        print(f"killed after {moment} reports: ready in {ready - killed:.1f} s, a case opened {opened:.1f} s later")


async def test_a_first_start_that_was_cut_short_is_made_good_by_the_next(folder: Path, chance: random.Random) -> None:
    async with unborn(folder) as system:
        for _ in range(3):
            await system.begin()
            seconds = chance.uniform(0.5, 8)
            await asyncio.sleep(seconds)
            await system.kill()
            print(f"killed {seconds:.1f} s after the start")
        await system.start()
        async with inhabited(system, chance) as residents:
            await residents.report()
            await end_well(system, residents.remembered)


async def _reported(residents: Residents, count: int) -> bool:
    return len(residents.remembered.issues) >= count


async def _opened(residents: Residents, issue: Issue) -> bool:
    return await residents.case(issue) is not None


# -- without Kafka ------------------------------------------------------------------------------------------
async def test_a_minute_without_kafka_delays_events_and_nothing_else(folder: Path, chance: random.Random) -> None:
    async with (
        outside(folder / "kafka", kafka=True) as (kafka, address),
        living(folder, "--kafka", address) as system,
        inhabited(system, chance) as residents,
    ):
        early = await asyncio.gather(*(residents.report(place, "FAC.light") for place in PLACES[:8] * 5))
        await until(lambda: _none(system, NOT_OPEN), 30)
        (began,) = await system.rows("SELECT clock_now()")

        kafka.signal(signal.SIGSTOP)  # half of the time it hangs, half of the time it is gone
        slowest = await _report_for(residents, KAFKA_AWAY / 2)
        for issue in early[:10]:
            await residents.act(issue, "accept")
        await kafka.kill()
        slowest = max(slowest, await _report_for(residents, KAFKA_AWAY / 2))
        assert residents.remembered.retries == 0, "a report was not taken at once"
        ((moves, late),) = await system.rows(LATENESS, since=began[0])
        await kafka.start()
        opened = await until(lambda: _none(system, NOT_OPEN), 60)
        print(
            f"slowest report {slowest:.2f} s; {moves} moves, the latest {late:.2f} s late;"
            f" every case open {opened:.1f} s after Kafka came back"
        )
        assert moves > 60
        assert late < 3
        await end_well(system, residents.remembered)


async def test_a_lost_broker_disk_loses_nothing_once_events_are_told_again(folder: Path, chance: random.Random) -> None:
    async with living(folder) as system, inhabited(system, chance) as residents:
        await asyncio.gather(*(residents.live() for _ in range(20)))
        with suppress(DatabaseAway):  # it is killed under this transaction
            async with as_owner(system.target) as conn:
                await conn.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
                await conn.execute(LADDER_EXCLUSIVE)  # no case can open: what is told now is heard by nobody
                for _ in range(10):
                    await residents.report()
                await until(lambda: _none(system, NOT_TOLD), 20)
                await system.kill()
        shutil.rmtree(system.data / "kafka")
        await system.start()
        assert len(await system.rows(NOT_OPEN)) == 10
        await system.run("outbox", "replay", "--since", "1h")
        await until(lambda: _none(system, NOT_OPEN), 60)
        await end_well(system, residents.remembered, rebuilt=True)


async def _report_for(residents: Residents, seconds: float) -> float:
    """Reports four times a second; the longest time one took."""
    slowest, end = 0.0, time.monotonic() + seconds
    while (began := time.monotonic()) < end:
        await residents.report()
        slowest = max(slowest, time.monotonic() - began)
        await asyncio.sleep(0.25)
    return slowest


async def _none(system: Living, question: str) -> bool:
    return not await system.rows(question)


# -- without PostgreSQL -------------------------------------------------------------------------------------
async def test_without_postgresql_every_request_is_answered_503_and_it_comes_back_by_itself(
    folder: Path, chance: random.Random
) -> None:
    async with (
        outside(folder / "postgres", postgres=True) as (postgres, address),
        living(folder, "--postgres", address) as system,
        inhabited(system, chance) as residents,
    ):
        ended = asyncio.Event()

        async def client() -> None:
            while not ended.is_set():
                await residents.live()

        async with asyncio.TaskGroup() as group:
            for _ in range(4):
                group.create_task(client())
            for away in (postgres.stop, postgres.kill):
                enough = len(residents.remembered.issues) + 20
                await until(lambda enough=enough: _reported(residents, enough), 60)
                await away()
                await _only_503(residents, POSTGRES_AWAY)
                await postgres.start()
                back = time.monotonic()
                await residents.report()
                print(f"after {away.__name__}: a report was taken {time.monotonic() - back:.1f} s after the start")
            ended.set()
        await end_well(system, residents.remembered)


async def _only_503(residents: Residents, seconds: float) -> None:
    """Asks for everything while the database is away."""
    issue = Issue(next(iter(residents.remembered.issues)), "0" * 10)
    statuses: Counter[int] = Counter()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for request in _requests(residents, issue):
            began = time.monotonic()
            answer = await residents.http.request(**request)
            assert answer.status_code == 503, f"{request['url']}: {answer.status_code} {answer.text}"
            assert answer.headers["Retry-After"]
            assert time.monotonic() - began < 8, f"{request['url']} let wait"
            statuses[answer.status_code] += 1
    print(f"answers while PostgreSQL was away: {dict(statuses)}")


def _requests(residents: Residents, issue: Issue) -> Iterator[dict[str, Any]]:
    """One of each kind that needs the database."""
    headers = {"Authorization": f"Bearer {issue_token(residents.keys, COMMAND)}"}
    report = {"category": "FAC.light", "text": "灯坏了", "place": PLACES[0], "phone": "13912409999"}
    code = residents.keys.track_code(issue.id)
    for method, path, body in (
        ("POST", "/api/intake/issues", report),
        ("GET", f"/api/intake/issues/{issue.id}", None),
        ("GET", f"/api/routing/track/{issue.id}?code={code}", None),
        ("GET", f"/api/routing/cases/{issue.id}", None),
        ("GET", "/api/routing/cases", None),
        ("POST", f"/api/routing/cases/{issue.id}/accept", {"version": 1}),
        ("POST", f"/api/routing/cases/{issue.id}/withdraw?code={code}", {}),
        ("GET", "/api/routing/supervision", None),
        ("GET", f"/api/notify/messages?issue={issue.id}", None),
        ("GET", f"/api/directory/grids/{C}", None),
        ("GET", "/api/directory/departments", None),
        ("PUT", "/api/directory/people/P016/absence", {"from": "2030-01-01T00:00:00Z", "to": "2030-01-02T00:00:00Z"}),
        ("GET", "/api/routing/readyz", None),
    ):
        yield {"method": method, "url": path, "headers": headers, "json": body}


# -- killed while telling people ------------------------------------------------------------------------------
PERSONS = {
    # who is told, where: (channel, how the provider behaves, the address it behaves so to)
    "P018": ("L1-M1-S1-U2", "sms", "slow", "19900000018"),
    "P016": ("L1-M1-S1-U1", "wechat", "slow", "oTEST0016"),
    "P026": ("L2-M1-S1-U1", "sms", "timeout_after_accept", "19900000026"),
    "P014": ("L1-M1-S1", "wechat", "timeout_after_accept", "oTEST0014"),
}
ATTEMPTS = """
SELECT a.n, a.state, a.error,
       (SELECT count(*) FROM sandbox.ledger l WHERE l.out_id::uuid = m.id AND l.channel = a.channel) AS arrived
  FROM notify.attempt a JOIN notify.message m ON m.id = a.message
 WHERE m.key = :key AND a.channel = :channel ORDER BY a.n
"""


async def test_case_04_killed_while_a_message_is_sent_it_asks_before_it_sends_again(
    folder: Path, chance: random.Random
) -> None:
    async with living(folder) as system, inhabited(system, chance) as residents:
        keys: dict[str, dict[str, Any]] = {}
        for no, (place, channel, behaviour, telephone) in PERSONS.items():
            await _mood(residents, channel, behaviour, telephone)
            issue = await residents.report({"grid": f"{C}-{place}"}, "FAC.light")
            person = (await people(system.target))[no]
            keys[no] = {"key": f"assigned:{issue.id}.1:{person}", "channel": channel}

        async def attempts() -> dict[str, list[Any]]:
            return {no: [tuple(row) for row in await system.rows(ATTEMPTS, **key)] for no, key in keys.items()}

        async def are(wanted: dict[str, list[Any]]) -> bool:
            return await attempts() == wanted

        under_way = {no: [(1, "sending", None, int(how[2] != "slow"))] for no, how in PERSONS.items()}
        await until(lambda: are(under_way), 20)
        await system.kill()
        await system.start()
        told = {
            # A provider that never saw it is asked, says so, and gets it once; WeChat is asked under the same id.
            "P018": [(1, "failed", "unsent", 1), (2, "delivered", None, 1)],
            "P016": [(1, "delivered", None, 1)],
            # A provider that had taken it is asked, says so, and nothing is sent.
            "P026": [(1, "sent", None, 1)],
            "P014": [(1, "delivered", None, 1)],
        }
        print(f"told after {await until(lambda: are(told), 60):.1f} s")
        await system.settled()
        assert await attempts() == told


async def _mood(residents: Residents, channel: str, behaviour: str, telephone: str) -> None:
    """How a provider behaves to the next message for a telephone: not to be seen to its end by whoever sends it."""
    provider = {"sms": "alibaba", "wechat": "wechat"}[channel]
    moods = [{"behaviour": behaviour, "seconds": 60}]
    if (behaviour, channel) == ("timeout_after_accept", "sms"):  # a receipt names the message and would be an answer
        moods.append({"behaviour": "no_receipts"})
    for mood in moods:
        body = {"provider": provider, "address": telephone, "times": 1, **mood}
        answer = await residents.insist("POST", "/sandbox/control", Principal(role="admin"), json=body)
        assert answer.status_code == 200, answer.text


# -- stopping -------------------------------------------------------------------------------------------------
async def _freeze(server: Outside) -> None:
    server.signal(signal.SIGSTOP)


async def _kill(server: Outside) -> None:
    await server.kill()


@pytest.mark.parametrize("away", [_kill, _freeze])
async def test_sigterm_ends_it_within_ten_seconds_without_kafka(
    folder: Path, chance: random.Random, away: Callable[[Outside], Any]
) -> None:
    async with (
        outside(folder / "kafka", kafka=True) as (kafka, address),
        living(folder, "--kafka", address) as system,
        inhabited(system, chance) as residents,
    ):
        await residents.report()
        await away(kafka)
        for _ in range(8):
            await residents.report()
        await until(lambda: _noticed(system), 30)
        seconds = await system.stop()
        print(f"{away.__name__}: gone after {seconds:.1f} s")
        assert seconds < 10
        assert system.exit_code == 0


async def _noticed(system: Living) -> bool:
    return "relay.waiting" in (system.data / "log" / "chuishao.log").read_text()
