"""Whistles beside one another, beside topics, and what residents read of them."""

import asyncio
from uuid import UUID

import pytest

from services.routing.store import whistles, writing
from shared.db import transaction
from tests.integration.meetings import propose
from tests.integration.test_whistle import DESK, Whistle, blow, try_blow
from tests.world import U1, Issue, World


@pytest.fixture(autouse=True)
async def morning(world: World) -> None:
    await world.reset()  # a Tuesday, 10:00


async def lines(issue: Issue) -> list[str]:
    return [line["text"] for line in (await issue.track())["history"] if line["kind"] == "whistle"]


async def reassigned(world: World, issue: Issue) -> Whistle:
    whistle = await blow(issue)
    await whistle.act("dispute", "P030", reason="不归我们")
    await whistle.act("decide", "arbiter", outcome="reassign", lead="HOUSING")
    return whistle


async def test_a_resident_reads_of_each_department_what_it_did_then(world: World) -> None:
    issue = await world.report(U1)
    whistle = await reassigned(world, issue)
    await whistle.report_in("P033")
    called, other, there = await lines(issue)
    assert "水务局" in called
    assert ("住房" in other, "住房" in there) == (True, True)


async def test_a_resident_does_not_read_that_a_dispute_changed_nothing(world: World) -> None:
    issue = await world.report(U1)
    whistle = await blow(issue)
    await whistle.act("dispute", "P030", reason="不归我们")
    await whistle.act("decide", "arbiter", outcome="upheld")
    assert len(await lines(issue)) == 1


async def test_an_added_case_tells_its_resident_from_then_on(world: World) -> None:
    first = await world.report(U1)
    whistle = await blow(first)
    await whistle.report_in()
    second = await world.report(U1)
    assert (await try_blow(second)).status_code == 200
    await world.settle()
    assert [("请水务局" in line) for line in await lines(second)] == [True]
    assert len(await lines(first)) == 2


async def test_a_new_lead_begins_as_if_it_had_been_called_first(world: World) -> None:
    whistle = await blow(await world.report(U1))
    await whistle.act("dispute", "P030", reason="不归我们")
    await whistle.report_in("P030")
    found = await whistle.act("decide", "arbiter", outcome="reassign", lead="HOUSING")
    assert (found["state"], found["result_by"], found["reported_in"]) == ("blown", None, None)


async def test_a_new_lead_is_not_on_the_supervision_list_for_the_former_one(world: World) -> None:
    whistle = await blow(await world.report(U1), occasion="emergency")
    await whistle.act("dispute", "P030", reason="不归我们")
    await world.advance(minutes=61)
    assert (await whistle.get())["flags"]["overdue"] == "supervision"
    found = await whistle.act("decide", "arbiter", outcome="reassign", lead="HOUSING")
    assert (found["flags"]["overdue"], found["supervised"]) == (None, False)
    rows = (await world.call("GET", "/api/routing/supervision", DESK)).json()["items"]
    assert whistle.id not in [row["id"] for row in rows]


async def test_an_unconfirmed_result_is_supervised_each_time_and_not_before(world: World) -> None:
    async def listed() -> bool:
        rows = (await world.call("GET", "/api/routing/supervision", DESK)).json()["items"]
        return whistle.id in [row["id"] for row in rows]

    whistle = await blow(await world.report(U1))
    await whistle.report_in()
    for _ in range(2):
        await whistle.act("result", "P030", text="好了")
        assert not await listed()
        await world.advance(days=4)
        assert await listed()
        await whistle.act("return", DESK, reason="还在漏") if (await whistle.get())["returns"] == 0 else None


async def test_a_reporter_who_withdraws_leaves_the_department_to_the_cases_added(world: World) -> None:
    first, second = await world.report(U1), await world.report(U1)
    whistle = await blow(first)
    assert (await try_blow(second)).status_code == 200
    await world.settle()
    await first.say("withdraw")
    assert ((await whistle.get())["state"], (await second.case())["on_hold"]) == ("blown", "whistle")
    await second.say("withdraw")
    assert (await whistle.get())["state"] == "withdrawn"


async def test_a_draft_sent_beside_an_open_whistle_becomes_an_addition(world: World) -> None:
    first, second = await world.report(U1), await world.report(U1)
    draft = await blow(second, "P010", assisting=["HOUSING"])
    whistle = await blow(first)
    answer = await draft.act("send", DESK)
    assert (answer["id"], answer["assisting"]) == (whistle.id, ["CITY", "HOUSING"])
    assert ((await draft.get())["state"], (await second.case())["on_hold"]) == ("withdrawn", "whistle")


async def test_nobody_blows_and_no_draft_is_sent_while_a_case_is_deliberated(world: World) -> None:
    issue = await world.report(U1)
    draft = await blow(issue, "P010")
    await (await propose(world, issue)).screen()
    await world.settle()
    assert (await try_blow(issue)).status_code == 409
    refused = await draft.try_act("send", DESK)
    assert (refused.status_code, refused.json()["on_hold"]) == (409, "deliberation")


async def test_a_new_leader_holds_a_deliberated_case_with_its_clocks_still(world: World) -> None:
    issue = await world.report(U1)
    await (await propose(world, issue)).screen()
    await world.settle()
    changed = await world.call("PUT", f"/api/directory/grids/{U1}/posts/leader", "command", json={"person": "P025"})
    assert changed.status_code == 200
    await world.settle()
    case = await issue.case()
    assert (case["holder"]["id"], case["on_hold"], case["accept_by"]) == ("P025", "deliberation", None)
    back = await world.call("PUT", f"/api/directory/grids/{U1}/posts/leader", "command", json={"person": "P016"})
    assert back.status_code == 200


async def test_after_the_third_no_only_the_desk_that_holds_it_blows_and_no_deadline_comes_back(world: World) -> None:
    issue = await world.report(U1)
    for hand in ("P016", "P014", "P012"):
        await issue.act("accept", hand)
        await issue.act("resolve", hand, reply="修了")
        await issue.say("answer", solved="no")
    assert [(await try_blow(issue, who)).status_code for who in ("P002", "P010")] == [403, 403]
    whistle = await blow(issue)
    await whistle.act("withdraw", DESK, reason="弄错了")
    case = await issue.case()
    assert (case["on_hold"], case["accept_by"], case["resolve_by"]) == (None, None, None)


async def test_an_addition_waits_for_an_act_on_the_first_whistle_and_the_act_does_not_wait_for_it(world: World) -> None:
    first, second = await world.report(U1), await world.report(U1)
    whistle = await blow(first)
    async with transaction(world.parts.contexts["routing"].engine) as conn:
        await whistles.lock_place(conn, UUID(first.id))
        await writing.lock_case(conn, UUID(first.id))
        addition = asyncio.create_task(try_blow(second))
        await asyncio.sleep(0.5)
        async with asyncio.timeout(0.5):
            await whistles.lock(conn, UUID(whistle.id))
        assert not addition.done()
    assert (await addition).status_code == 200
