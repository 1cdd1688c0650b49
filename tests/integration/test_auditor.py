"""The auditor: what is due and unmoved is found, the district is told once, and silence is heard outside."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace

import pytest

from chuishao.checks import Finding, examine
from services.notify import auditing
from services.notify.jobs import deliver
from shared.runtime import Worker
from shared.service import Context
from tests.world import U1, World

FOUND = "chuishao_deadlines_overdue"


@pytest.fixture(autouse=True)
async def morning(world: World) -> None:
    await world.reset()
    await world.sql("TRUNCATE notify.incident")


def routing_worker(world: World) -> Worker:
    return next(worker for worker in world.parts.workers if worker.name == "routing")


@asynccontextmanager
async def stopped(world: World) -> AsyncIterator[None]:
    """Nothing of routing's worker runs: neither its clock nor its relay nor its consumer."""
    await routing_worker(world).stop()
    try:
        yield
    finally:
        routing_worker(world).start()
        await world.settle()


async def pass_time(world: World, hours: float = 5) -> None:
    """The clock moves, and nobody waits until all has settled."""
    await world.sql("UPDATE clock_shift SET shift = shift + make_interval(secs => :s)", s=hours * 3600)


async def sure(world: World) -> None:
    """As if what was seen had been seen a while ago."""
    await world.sql("UPDATE notify.incident SET seen_at = seen_at - interval '1 minute'")


def notify(world: World) -> Context:
    return world.parts.contexts["notify"]


async def metric(world: World, name: str) -> float:
    lines = (await world.http.get("/api/notify/metrics")).text.splitlines()
    return next(float(line.split()[-1]) for line in lines if line.split(" ")[0] == name)


async def alarms(world: World) -> list[tuple[str, str]]:
    """(person, key) of every alarm that went out. The worker's own delivery may have one in its hands."""
    await deliver(notify(world))
    while await world.scalar("SELECT count(*) FROM notify.message WHERE reason = 'alarm' AND state = 'queued'"):
        await asyncio.sleep(0.01)
    return [
        (message["person"], message["key"])
        for message in await world.messages()
        if message["reason"] == "alarm" and message["state"] in ("sent", "delivered")
    ]


async def finding(world: World, check: str) -> Finding:
    return next(each for each in await examine(world.target) if each.check == check)


async def test_with_the_worker_stopped_a_deadline_is_found_and_the_doctor_fails(world: World) -> None:
    await world.report(U1)
    await auditing.audit(notify(world))
    assert await metric(world, FOUND) == 0
    assert (await finding(world, "deadlines")).state == "ok"
    async with stopped(world):
        await pass_time(world)
        await auditing.audit(notify(world))
        assert await metric(world, FOUND) == 1
        assert await metric(world, "chuishao_deadlines_due") == 1
        assert await metric(world, "chuishao_deadlines_oldest_seconds") > 3000
        assert (await finding(world, "deadlines")).state == "fail"
    await auditing.audit(notify(world))
    assert await metric(world, FOUND) == 0


async def test_a_stopped_worker_is_found_within_ten_seconds_of_the_deadline_and_told_within_a_minute(
    world: World,
) -> None:
    """The figures, which nobody has to wait for."""
    assert auditing.LATE + auditing.EVERY + 1 <= 10
    assert auditing.LATE + auditing.EVERY + auditing.SURE + auditing.EVERY < 60


async def test_the_districts_duty_desk_is_told_once_per_incident(world: World) -> None:
    await world.report(U1)
    async with stopped(world):
        await pass_time(world)
        await auditing.audit(notify(world))
        assert await alarms(world) == [], "it may be over in a moment"
        await sure(world)
        await asyncio.gather(*(auditing.audit(notify(world)) for _ in range(4)))
        assert [person for person, _ in await alarms(world)] == ["P001"]
        for _ in range(3):
            await pass_time(world, 1)
            await auditing.audit(notify(world))
        assert len(await alarms(world)) == 1


async def test_what_the_telephone_shows_is_how_many_and_since_when(world: World) -> None:
    await world.report(U1)
    async with stopped(world):
        await pass_time(world)
        await auditing.audit(notify(world))
        await sure(world)
        await auditing.audit(notify(world))
        await alarms(world)
    texts = [row["text"] for row in await world.rows("SELECT text FROM sandbox.ledger WHERE text LIKE '%管理员%'")]
    assert any("有1件事到点没动，最久的已经120分钟" in text for text in texts), "its reminder was due two hours ago"


async def test_trouble_that_comes_back_is_the_same_incident_and_later_trouble_a_new_one(world: World) -> None:
    await world.report(U1)

    async def trouble() -> None:
        async with stopped(world):
            await pass_time(world, 48)
            await auditing.audit(notify(world))
            await sure(world)
            await auditing.audit(notify(world))
        await auditing.audit(notify(world))

    await trouble()
    await trouble()
    assert len(await alarms(world)) == 1
    await world.sql("UPDATE notify.incident SET ended_at = ended_at - interval '1 hour'")
    await trouble()
    assert len({key for _, key in await alarms(world)}) == 2


async def test_what_is_over_before_anybody_is_sure_was_no_incident(world: World) -> None:
    await world.report(U1)
    async with stopped(world):
        await pass_time(world)
        await auditing.audit(notify(world))
    await auditing.audit(notify(world))
    assert await world.scalar("SELECT count(*) FROM notify.incident") == 0


async def test_the_doctor_fails_when_the_auditor_himself_has_not_looked(world: World) -> None:
    await auditing.audit(notify(world))
    assert (await finding(world, "auditor")).state == "ok"
    async with away(world):
        assert (await finding(world, "auditor")).state == "fail"
    assert (await finding(world, "auditor")).state == "ok"


@asynccontextmanager
async def away(world: World) -> AsyncIterator[None]:
    """The auditor's last look was long ago, and he does not come now."""
    worker = next(worker for worker in world.parts.workers if worker.name == "notify")
    await worker.stop()
    await world.sql("UPDATE notify.audit SET looked_at = looked_at - interval '5 minutes'")
    try:
        yield
    finally:
        worker.start()
        await auditing.audit(notify(world))


# -- the ping ----------------------------------------------------------------------------------------------------
class Outside:
    """A server that waits to be called. `slow`: it takes the call and never answers."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.status = 200
        self.slow = False
        self.url = ""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.calls.append((await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[0])
        if self.slow:
            await reader.read()  # until the caller gives up
        else:
            writer.write(f"HTTP/1.1 {self.status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
            await writer.drain()
        writer.close()


@pytest.fixture
async def outside(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Outside]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    found = Outside()
    async with await asyncio.start_server(found.answer, "127.0.0.1", 0) as server:
        found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/ping/secret-token"
        yield found


def pinging(world: World, outside: Outside) -> Context:
    context = notify(world)
    return replace(context, settings=context.settings.model_copy(update={"heartbeat_url": outside.url}))


async def test_all_being_well_the_outside_is_called(world: World, outside: Outside) -> None:
    await auditing.audit(notify(world))
    assert await auditing.ping(pinging(world, outside)) == auditing.PING_EVERY
    assert outside.calls == ["GET /ping/secret-token HTTP/1.1"]


async def test_nobody_is_called_while_a_deadline_is_overdue(world: World, outside: Outside) -> None:
    await world.report(U1)
    async with stopped(world):
        await pass_time(world)
        await auditing.audit(notify(world))
        await auditing.ping(pinging(world, outside))
        assert outside.calls == []
    await auditing.audit(notify(world))
    await auditing.ping(pinging(world, outside))
    assert len(outside.calls) == 1


async def test_nobody_is_called_unless_the_auditor_has_really_looked(world: World, outside: Outside) -> None:
    await auditing.audit(notify(world))
    async with away(world):
        await auditing.ping(pinging(world, outside))
        assert outside.calls == []


async def test_without_a_url_nobody_is_called(world: World, outside: Outside) -> None:
    await auditing.audit(notify(world))
    await auditing.ping(notify(world))
    assert outside.calls == []


@contextmanager
def patience(monkeypatch: pytest.MonkeyPatch, seconds: float) -> Iterator[None]:
    monkeypatch.setattr(auditing, "PING_SECONDS", seconds)
    yield


async def test_an_outside_that_never_answers_holds_nobody_up(
    world: World, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    await auditing.audit(notify(world))
    failed = await metric(world, 'chuishao_auditor_pings_total{result="failed"}')
    outside.slow = True
    with patience(monkeypatch, 0.2):
        async with asyncio.timeout(2):
            await auditing.ping(pinging(world, outside))
    assert await metric(world, 'chuishao_auditor_pings_total{result="failed"}') == failed + 1


async def test_the_outside_url_is_a_secret_and_in_no_log(
    world: World, outside: Outside, capsys: pytest.CaptureFixture[str]
) -> None:
    await auditing.audit(notify(world))
    outside.status = 500
    await auditing.ping(pinging(world, outside))
    said = capsys.readouterr()
    assert "ping-failed" in said.out + said.err
    assert "secret-token" not in json.dumps([said.out, said.err])
