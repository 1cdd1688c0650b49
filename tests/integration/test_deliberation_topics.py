"""Topics: proposed by a desk, screened by the secretary, withdrawn; what that does to the case."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.integration.meetings import CHAIR, DESK, OUTSIDE, SIX, problem, propose, scheduled, try_propose
from tests.world import U1, C, World


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def _anew(world: World) -> AsyncIterator[None]:
    await world.reset()
    yield


# -- proposing ----------------------------------------------------------------------------------------------
async def test_a_desk_above_the_place_proposes_a_case(world: World) -> None:
    issue = await world.report(U1)
    for desk in ("P003", "P002", "P001"):
        topic = await propose(world, issue, desk, n=["法律援助", "HOUSING"])
        found = await topic.get()
        assert (found["case"], found["state"], found["version"]) == (issue.id, "proposed", 0)
        assert (found["title"], found["n"], found["meeting"], found["tasks"]) == (
            "楼道灯归谁修",
            ["法律援助", "HOUSING"],
            None,
            [],
        )
        await topic.act("withdraw", DESK, reason="不用议了")
    assert (await issue.case())["on_hold"] is None


async def test_nobody_else_proposes(world: World) -> None:
    issue = await world.report(U1)
    refused = {"P006": 404, "P016": 403, CHAIR: 403, SIX[0]: 403, "command": 403, "13800000001": 403}
    for who, status in refused.items():
        assert (await try_propose(world, issue, who)).status_code == status, who
    assert (await world.call("POST", "/api/deliberation/topics", json={})).status_code == 401
    assert await world.scalar("SELECT count(*) FROM deliberation.topics") == 0


async def test_whoever_is_complained_of_learns_nothing_of_it(world: World) -> None:
    """The community's own people: the desk above proposes, and neither community desk nor secretary sees it."""
    issue = await world.report(C, about_leader=True)
    assert (await try_propose(world, issue, DESK)).status_code == 404
    topic = await propose(world, issue, "P002")
    for who in (DESK, "P004", CHAIR):
        assert (await world.call("GET", f"/api/deliberation/topics/{topic.id}", who)).status_code == 404, who
        assert (await world.call("GET", "/api/deliberation/topics", who)).json()["items"] == []
    assert (await topic.get("P001"))["can"] == ["withdraw"]


async def test_what_cannot_wait_is_not_deliberated(world: World) -> None:
    issue = await world.report(U1, "SAF.gas")
    answer = await try_propose(world, issue)
    assert (answer.status_code, answer.json()["errors"][0]["loc"]) == (422, ["body", "case"])


async def test_a_case_above_community_has_no_meeting_to_go_to(world: World) -> None:
    issue = await world.report("150902-01")
    answer = await try_propose(world, issue, "P002")
    assert (answer.status_code, answer.json()["errors"][0]["loc"]) == (422, ["body", "case"])


@pytest.mark.parametrize(
    ("more", "loc"),
    [
        ({"title": "  "}, ["body", "title"]),
        ({"title": "长" * 201}, ["body", "title"]),
        ({"title": "坏\u0000"}, ["body", "title"]),
        ({"n": ["法律援助", "没有的席位"]}, ["body", "n", 1]),
        ({"n": ["POLICE"]}, ["body", "n", 0]),
        ({"case": "nothing"}, ["body", "case"]),
        ({"more": 1}, ["body", "more"]),
    ],
)
async def test_what_is_wrong_with_a_topic_is_named(world: World, more: dict[str, object], loc: list[object]) -> None:
    answer = await try_propose(world, await world.report(U1), **more)
    assert (answer.status_code, answer.json()["errors"][0]["loc"]) == (422, loc)
    assert await world.scalar("SELECT count(*) FROM deliberation.topics") == 0


async def test_a_closed_case_is_not_proposed_and_an_unknown_one_is_not_found(world: World) -> None:
    issue = await world.report(U1)
    await issue.say("withdraw")
    answer = await try_propose(world, issue)
    assert (answer.status_code, problem(answer), answer.json()["phase"]) == (409, "wrong-state", "closed")
    issue.id = "0199a000-0000-7000-8000-000000000000"
    assert (await try_propose(world, issue)).status_code == 404


async def test_a_case_has_one_topic_at_a_time(world: World) -> None:
    topic = await propose(world)
    answer = await try_propose(world, topic.issue)
    assert (answer.status_code, answer.json()["phase"], answer.json()["topic"]) == (409, "proposed", topic.id)
    await topic.act("screen", CHAIR, decision="refuse", reason="先找物业")
    assert (await try_propose(world, topic.issue)).status_code == 201


async def test_the_same_proposal_sent_twice_is_one_topic(world: World) -> None:
    issue = await world.report(U1)
    body = {"case": issue.id, "title": "灯"}
    first, again = [await world.call("POST", "/api/deliberation/topics", DESK, key="once", json=body) for _ in range(2)]
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    other = await world.call("POST", "/api/deliberation/topics", DESK, key="once", json={**body, "title": "墙"})
    assert other.status_code == 422


# -- screening ------------------------------------------------------------------------------------------------
async def test_from_screened_the_case_is_on_hold_and_every_exit_releases_it(world: World) -> None:
    topic = await propose(world)
    assert (await topic.issue.case())["on_hold"] is None
    await topic.screen()
    await world.settle()
    case = await topic.issue.case()
    assert (case["on_hold"], case["accept_by"]) == ("deliberation", None)
    await topic.plan()
    await topic.act("withdraw", DESK, reason="当事人已经谈好了")
    await world.settle()
    case = await topic.issue.case()
    assert case["on_hold"] is None
    assert case["accept_by"]
    assert await topic.told() == [
        "topic.proposed",
        "topic.screened",
        "meeting.scheduled",
        "meeting.cancelled",
        "topic.ended",
    ]


async def test_only_the_secretary_of_the_community_screens(world: World) -> None:
    topic = await propose(world)
    for who, status in {DESK: 403, "P001": 403, "command": 403, OUTSIDE: 404, SIX[0]: 404, "P006": 404}.items():
        answer = await topic.try_act("screen", who, decision="accept")
        assert answer.status_code == status, who
    found = await topic.act("screen", CHAIR, decision="accept", reason="可以议")
    assert (found["state"], found["version"], found["screen_by"]) == ("screened", 1, None)


async def test_a_refusal_needs_a_reason_and_ends_the_topic(world: World) -> None:
    topic = await propose(world)
    answer = await topic.try_act("screen", CHAIR, decision="refuse")
    assert answer.status_code == 422
    found = await topic.act("screen", CHAIR, decision="refuse", reason="先找物业")
    assert (found["state"], found["how"], found["can"]) == ("refused", "refused", [])
    assert (await topic.events())[-1][1]["how"] == "refused"
    again = await topic.try_act("screen", CHAIR, decision="accept")
    assert (again.status_code, again.json()["phase"]) == (409, "refused")
    history = await world.rows(
        "SELECT kind, text FROM deliberation.history WHERE topic = :id ORDER BY seq", id=topic.id
    )
    assert [(row["kind"], row["text"]) for row in history] == [("proposed", None), ("refused", "先找物业")]


async def test_a_stale_version_gets_the_topic_as_it_is(world: World) -> None:
    topic = await propose(world)
    await topic.screen()
    answer = await topic.try_act("withdraw", DESK, version=0, reason="不议了")
    assert (answer.status_code, problem(answer)) == (409, "already-moved")
    assert (answer.json()["case"]["state"], answer.json()["can"]) == ("screened", ["plan", "withdraw"])


async def test_what_nobody_screens_in_three_days_is_over(world: World) -> None:
    topic = await propose(world)
    await world.advance(days=3, minutes=-1)
    assert (await topic.get())["state"] == "proposed"
    await world.advance(minutes=1)
    found = await topic.get()
    assert (found["state"], found["how"]) == ("withdrawn", "unscreened")
    assert (await topic.events())[-1][1]["how"] == "unscreened"
    answer = await topic.try_act("screen", CHAIR, decision="accept")
    assert answer.status_code == 409


async def test_a_topic_of_a_case_that_was_resolved_meanwhile_is_not_taken_up(world: World) -> None:
    topic = await propose(world)
    await topic.issue.act("accept", "P016")
    await topic.issue.act("resolve", "P016", reply="修好了")
    answer = await topic.try_act("screen", CHAIR, decision="accept")
    assert (answer.status_code, answer.json()["phase"]) == (409, "resolved")


async def test_when_the_resident_withdraws_the_case_the_topic_and_its_meeting_go_with_it(world: World) -> None:
    topic = await scheduled(world)
    await world.settle()
    await topic.issue.say("withdraw")
    found = await topic.get()
    assert (found["state"], found["how"]) == ("withdrawn", "withdrawn")
    assert (await topic.meeting())["state"] == "cancelled"
    assert (await topic.told())[-2:] == ["meeting.cancelled", "topic.ended"]
    assert await world.scalar("SELECT count(*) FROM deliberation.bookings") == 0


# -- reading --------------------------------------------------------------------------------------------------
async def test_parties_see_a_topic_and_nobody_else_does(world: World) -> None:
    topic = await scheduled(world)
    for who, status in {DESK: 200, "P001": 200, CHAIR: 200, SIX[3]: 200, "command": 200}.items():
        for path in (f"topics/{topic.id}", f"meetings/{topic.meeting_id}", f"meetings/{topic.meeting_id}/notice"):
            assert (await world.call("GET", f"/api/deliberation/{path}", who)).status_code == status, (who, path)
    for who in (OUTSIDE, "P006", "P016", "auditor", "department:WATER", "13800000009"):
        for path in (f"topics/{topic.id}", f"meetings/{topic.meeting_id}", f"meetings/{topic.meeting_id}/invite.ics"):
            assert (await world.call("GET", f"/api/deliberation/{path}", who)).status_code == 404, (who, path)


async def test_the_list_holds_what_one_may_see(world: World) -> None:
    first = await scheduled(world)
    second = await propose(world)

    async def listed(who: str, query: str = "") -> list[str]:
        answer = await world.call("GET", f"/api/deliberation/topics{query}", who)
        assert answer.status_code == 200, answer.text
        return [item["id"] for item in answer.json()["items"]]

    assert await listed(DESK) == await listed("command") == await listed(CHAIR) == [first.id, second.id]
    assert await listed(SIX[0]) == [first.id]
    assert await listed(OUTSIDE) == []
    assert await listed(DESK, "?state=proposed") == [second.id]
    assert await listed(DESK, f"?case={first.issue.id}") == [first.id]
    page = (await world.call("GET", "/api/deliberation/topics?limit=1", DESK)).json()
    assert await listed(DESK, f"?limit=1&cursor={page['next']}") == [second.id]
    assert (await world.call("GET", "/api/deliberation/topics?state=lost", DESK)).status_code == 422
