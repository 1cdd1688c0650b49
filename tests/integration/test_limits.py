"""Who asks too often, too much or too slowly: 429, 413, 408; the same for all replicas."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
import pytest_asyncio

from services.intake.app import service as intake
from shared import edge
from shared.auth import Principal, issue_token
from shared.db import make_engine, service_url
from shared.limits import Limits
from shared.runtime import build_app
from shared.service import Context
from shared.settings import Settings
from tests.world import KEYS, U1, World

REPORT = {"category": "FAC.light", "text": "灯坏了", "place": {"grid": U1}}
HINTS = {"text": "灯坏了"}


class Replica:
    """An api process of intake, with limits of its own choice, on the world's database."""

    def __init__(self, world: World, **settings: Any) -> None:
        url = world.target.postgres
        engine = make_engine(service_url(url, "intake", KEYS))
        self.context = Context("intake", engine, KEYS, Settings(**settings))
        app = build_app(self.context, intake)
        self.limits: Limits = app.state.limits
        self._app = app

    async def call(self, method: str, path: str, *, address: str = "127.0.0.1", **more: Any) -> httpx2.Response:
        transport = httpx2.ASGITransport(app=self._app, client=(address, 1))
        async with httpx2.AsyncClient(transport=transport, base_url="http://intake") as client:
            return await client.request(method, path, **more)

    async def report(self, phone: str, **more: Any) -> httpx2.Response:
        return await self.call("POST", "/issues", json={**REPORT, "phone": phone}, **more)

    async def close(self) -> None:
        await self.context.engine.dispose()


@pytest_asyncio.fixture(loop_scope="session")
async def two(world: World) -> AsyncIterator[tuple[Replica, Replica]]:
    """Two replicas that allow three a phone, an address and a caller."""
    await world.sql("DELETE FROM public.allowance")
    pair = [Replica(world, limit_phone=3, limit_address=3, limit_caller=3) for _ in range(2)]
    yield pair[0], pair[1]
    for each in pair:
        await each.close()


def bearer(person: UUID | None = None) -> dict[str, str]:
    return {"Authorization": f"Bearer {issue_token(KEYS, Principal(person=person or uuid4()))}"}


def refused(answer: httpx2.Response) -> int:
    """Checks a 429; gives the seconds it says."""
    assert answer.status_code == 429, answer.text
    problem = answer.json()
    assert problem["type"] == "urn:chuishao:problem:too-many"
    assert "太频繁" in problem["title"]
    assert "Too many" in problem["title"]
    return int(answer.headers["Retry-After"])


async def test_a_phone_reports_so_many_times_whichever_replica_it_asks(two: tuple[Replica, Replica]) -> None:
    one, other = two
    taken = [(await each.report("13912380001")).status_code for each in (one, other, one)]
    assert taken == [201, 201, 201]
    assert 1100 <= refused(await other.report("13912380001")) <= 1200
    assert (await other.report("13912380002")).status_code == 201


async def test_many_at_once_are_not_one_more_than_are_allowed(two: tuple[Replica, Replica]) -> None:
    answers = await asyncio.gather(*(two[n % 2].report("13912380003") for n in range(40)))
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [429] * 37


async def test_a_caller_is_counted_by_changes_and_not_by_reading(two: tuple[Replica, Replica]) -> None:
    one, token = two[0], bearer()
    for _ in range(3):
        assert (await one.call("POST", "/hints", json=HINTS, headers=token)).status_code == 200
    assert refused(await one.call("POST", "/hints", json=HINTS, headers=token)) <= 20
    for _ in range(5):
        assert (await one.call("GET", "/issues?mine=true", headers=token)).status_code == 200
    assert (await one.call("POST", "/hints", json=HINTS, headers=bearer())).status_code == 200


async def test_what_was_asked_too_often_is_allowed_again_after_a_while(
    two: tuple[Replica, Replica], world: World
) -> None:
    one, token = two[0], bearer()
    for _ in range(3):
        await one.call("POST", "/hints", json=HINTS, headers=token)
    seconds = refused(await one.call("POST", "/hints", json=HINTS, headers=token))
    await world.sql("UPDATE public.allowance SET until = until - :s", s=seconds)
    assert (await one.call("POST", "/hints", json=HINTS, headers=token)).status_code == 200
    refused(await one.call("POST", "/hints", json=HINTS, headers=token))


async def test_the_clock_of_the_rules_moves_no_limit(two: tuple[Replica, Replica], world: World) -> None:
    for _ in range(3):
        await two[0].report("13912380004")
    await world.advance(hours=3)
    refused(await two[0].report("13912380004"))


async def test_a_public_address_without_a_token_is_counted_and_a_machine_of_the_house_is_not(
    two: tuple[Replica, Replica],
) -> None:
    ask = two[0].call
    for _ in range(3):
        assert (await ask("GET", "/categories", address="120.24.1.7")).status_code == 200
    refused(await ask("GET", "/categories", address="120.24.1.7"))
    bad = {"Authorization": "Bearer nonsense"}
    refused(await ask("GET", "/categories", address="120.24.1.7", headers=bad))
    assert (await ask("GET", "/categories", address="120.24.1.8")).status_code == 200
    for address in ("127.0.0.1", "10.1.2.3", "192.168.1.9", "::1"):
        assert [(await ask("GET", "/categories", address=address)).status_code for _ in range(5)] == [200] * 5


@pytest.mark.parametrize(
    ("proxies", "told", "limited"),
    [
        (0, "120.24.1.9", False),  # nobody's word is taken
        (1, "120.24.1.10", True),
        (1, "10.0.0.1, 120.24.1.11", True),  # the left one is what the client claims
        (1, "120.24.1.12, 10.0.0.1", False),
        (2, "120.24.1.13, 10.0.0.1", True),
        (2, "120.24.1.14", False),  # too short: it did not come through both
        (1, "not an address", False),
    ],
)
async def test_forwarded_addresses_are_believed_as_far_as_our_own_proxies_wrote_them(
    world: World, proxies: int, told: str, limited: bool
) -> None:
    replica = Replica(world, limit_address=2, proxies=proxies)
    headers = {"X-Forwarded-For": told}
    answers = [await replica.call("GET", "/categories", headers=headers) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429 if limited else 200]
    await replica.close()


async def test_no_phone_and_no_address_lies_in_the_database(two: tuple[Replica, Replica], world: World) -> None:
    await two[0].report("13912380005", address="120.24.1.20")
    rows = await world.rows("SELECT a::text AS row FROM public.allowance a")
    assert len(rows) == 2
    assert not [row for row in rows if "13912380005" in row["row"] or "120.24" in row["row"]]


async def test_nothing_is_counted_where_there_is_no_limit(world: World) -> None:
    await world.sql("DELETE FROM public.allowance")
    replica = Replica(world, limit_phone=0, limit_address=0, limit_caller=0)
    answers = [await replica.report("13912380006", address="120.24.1.21") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [201] * 5
    assert await world.scalar("SELECT count(*) FROM public.allowance") == 0
    await replica.close()


async def test_all_who_ask_at_once_are_counted_by_few_statements(world: World) -> None:
    from shared.db import statement_counter

    replica = Replica(world)
    statements = statement_counter(replica.context.engine)
    await asyncio.gather(*(replica.limits.admit_phone(bytes([n])) for n in range(64)))
    assert statements[0] <= 2
    await replica.close()


async def test_with_the_database_away_whoever_asks_is_told_and_the_next_is_counted_again(world: World) -> None:
    replica = Replica(world)
    engine = replica.context.engine
    object.__setattr__(replica.context, "engine", make_engine("postgresql+asyncpg://nobody@127.0.0.1:1/none"))
    answer = await replica.report("13912380007")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    object.__setattr__(replica.context, "engine", engine)
    assert (await replica.report("13912380007")).status_code == 201
    await replica.close()


async def test_old_counts_are_forgotten(two: tuple[Replica, Replica], world: World) -> None:
    await two[0].report("13912380008")
    await world.sql("UPDATE public.allowance SET until = 1")
    await two[0].report("13912380009")
    await world.sql("SELECT public.forget_allowances()")
    assert await world.scalar("SELECT count(*) FROM public.allowance") == 1


# -- bodies ---------------------------------------------------------------------------------------------------
async def raw(world: World, request: bytes, *, seconds: float = 20) -> bytes:
    """What the server answers to these bytes, until it closes or a whole answer is there."""
    host, port = world.target.base_url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    await writer.drain()
    answer = b""
    async with asyncio.timeout(seconds):
        while more := await reader.read(65536):
            answer += more
            if b"}" in more:
                break
    writer.close()
    return answer


HEAD = b"POST /api/intake/hints HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


async def test_a_body_that_is_too_large_is_413_also_in_chunks_that_name_no_length(world: World) -> None:
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    answer = await raw(world, HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 5 + b"0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413 "), answer[:200]
    assert b"urn:chuishao:problem:too-large" in answer
    answer = await raw(world, HEAD + b"Content-Length: 300000\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413 "), answer[:200]
    whole = b'{"text": "' + b"a" * 100 + b'"}'
    chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(whole), whole)
    assert (await raw(world, HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)).startswith(b"HTTP/1.1 200 ")


async def test_a_body_that_does_not_come_is_408(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "BODY_SECONDS", 0.3)
    answer = await raw(world, HEAD + b'Content-Length: 100\r\n\r\n{"te', seconds=5)
    assert answer.startswith(b"HTTP/1.1 408 "), answer[:200]
    assert b"connection: close" in answer.lower()
    assert b"urn:chuishao:problem:too-slow" in answer


async def test_a_large_body_may_take_longer_than_a_small_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "BODY_SECONDS", 0.1)
    monkeypatch.setattr(edge, "SLOWEST", 100)
    began = time.monotonic()
    answer = await raw(world, HEAD + b'Content-Length: 60\r\n\r\n{"te', seconds=5)
    assert answer.startswith(b"HTTP/1.1 408 "), answer[:200]
    assert time.monotonic() - began > 0.5


@pytest.mark.parametrize("begin", [b"", b"POST /api/intake/hints HTTP/1.1\r\nHost: x\r\nX-A: "])
async def test_a_head_that_does_not_come_ends_the_connection(
    world: World, monkeypatch: pytest.MonkeyPatch, begin: bytes
) -> None:
    monkeypatch.setattr(edge, "HEAD_SECONDS", 0.3)
    started = time.monotonic()
    assert await raw(world, begin, seconds=5) == b""
    assert 0.25 < time.monotonic() - started < 3


async def test_a_head_without_end_is_refused(world: World) -> None:
    endless = b"GET /api/intake/categories HTTP/1.1\r\n" + b"X-A: aaaaaaaaaaaaaaaaaaaaaaaaa\r\n" * 4000
    with suppress(ConnectionResetError):  # closed in the middle of what we send
        answer = await raw(world, endless)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")


async def test_a_connection_is_used_again_for_as_many_requests_as_one_likes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge, "HEAD_SECONDS", 0.3)
    async with httpx2.AsyncClient(base_url=world.target.base_url) as client:
        assert (await client.get("/api/intake/categories")).status_code == 200
        await asyncio.sleep(0.5)  # idle between two requests: that is keep-alive's time, not the head's
        assert (await client.get("/api/intake/categories")).status_code == 200


async def test_an_answer_that_does_not_begin_is_504_and_asked_again_it_is_done_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await world.scalar("SELECT count(*) FROM intake.issue")
    ask = partial(
        world.http.post,
        "/api/intake/issues",
        json={**REPORT, "phone": "13912380010"},
        headers={"Idempotency-Key": "one that waits"},
    )
    with monkeypatch.context() as patch:
        patch.setattr(edge, "HANDLER_SECONDS", 0.5)
        async with world.owner.connect() as conn, conn.begin():
            await conn.exec_driver_sql("LOCK TABLE intake.issue IN ACCESS EXCLUSIVE MODE")
            answer = await ask()
    assert answer.status_code == 504, answer.text
    assert answer.json()["type"] == "urn:chuishao:problem:not-in-time"
    assert answer.headers["Retry-After"]
    assert (await ask()).status_code == 201
    assert await world.scalar("SELECT count(*) FROM intake.issue") == before + 1


async def test_a_stream_outlasts_the_time_of_an_answer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "HANDLER_SECONDS", 0.3)
    issue = await world.report(phone="13912380011")
    headers = {"Authorization": f"Bearer {await world.token('command')}"}
    async with world.http.stream("GET", f"/api/routing/live?issue={issue.id}", headers=headers) as answer:
        lines = answer.aiter_lines()
        assert await anext(lines) == ": here"
        await asyncio.sleep(0.5)
        await issue.act("accept", "P016")
        async with asyncio.timeout(5):
            assert [line async for line in _until_data(lines)]


async def _until_data(lines: AsyncIterator[str]) -> AsyncIterator[str]:
    async for line in lines:
        if line.startswith("data: "):
            yield line
            return
