"""What open pages are told as it happens."""

import asyncio

import orjson
import pytest

from tests.world import U1, World


@pytest.fixture(autouse=True)
async def morning(world: World) -> None:
    await world.reset()


async def heard(world: World, query: str, who: str | None, then: object) -> list[dict[str, object]]:
    """What a page hears while `then` happens, until a second after."""
    headers = {"Authorization": f"Bearer {await world.token(who)}"} if who else {}
    lines: list[dict[str, object]] = []
    async with world.http.stream("GET", f"/api/routing/live{query}", headers=headers) as answer:
        assert answer.status_code == 200
        source = answer.aiter_lines()
        assert await anext(source) == ": here"
        doing = asyncio.ensure_future(then)  # type: ignore[arg-type]
        try:
            async with asyncio.timeout(8):
                async for line in source:
                    if line.startswith("data: "):
                        lines.append(orjson.loads(line[6:]))
                    if lines and doing.done():
                        break
        except TimeoutError:
            pass
        await doing
    return lines


async def test_a_leader_hears_of_a_new_case_of_his_own(world: World) -> None:
    lines = await heard(world, "", "P016", world.report(U1))
    assert lines[0]["type"] == "cn.chuishao.routing.case.opened.v1"


async def test_a_resident_hears_only_of_her_own_by_its_code(world: World) -> None:
    mine = await world.report(U1)

    async def both() -> None:
        await world.report(U1)
        await mine.act("accept", "P016")

    lines = await heard(world, f"?issue={mine.id}&code={mine.code}", None, both())
    assert {line["id"] for line in lines} == {mine.id}
    assert lines[0]["type"] == "cn.chuishao.routing.case.accepted.v1"


async def test_who_may_not_read_hears_nothing_and_who_is_nobody_is_refused(world: World) -> None:
    assert await heard(world, "", "P026", world.report(U1)) == []
    assert (await world.http.get("/api/routing/live")).status_code == 401
    issue = await world.report(U1)
    assert (await world.http.get(f"/api/routing/live?issue={issue.id}&code=WRONG")).status_code == 404
