"""Ends that a desk gives a case: out of scope with a second person, handed over, merged. What is refused names its
field and changes nothing."""

from collections import Counter
from typing import Any

import httpx2
import pytest

from tests.integration.test_cases_acts import UNTIL, accepted, kinds, refused, state_of
from tests.world import U1, U2, C, Issue, World

S1 = f"{C}-L1-M1-S1"
S2U1 = f"{C}-L1-M1-S2-U1"
GO_THERE = "这归供热公司管，请打 12319"


@pytest.fixture(autouse=True)
async def morning(world: World) -> None:
    await world.reset()


async def minutes_pass(world: World) -> None:
    """A text a minute to one number: until all of them are out."""
    for _ in range(3):
        await world.advance(minutes=2)


def words(track: dict[str, Any]) -> list[str]:
    return [line["text"] for line in track["history"]]


# -- out of scope -----------------------------------------------------------------------------------------------
async def test_out_of_scope_takes_a_second_person_and_tells_the_resident_where_to_turn(world: World) -> None:
    issue = await world.report(U1)
    asked = await issue.act("out-of-scope", "P003", reply=GO_THERE)
    assert (asked["phase"], asked["request"]["act"], asked["request"]["by"]) == ("assigned", "out-of-scope", "P003")
    assert "out-of-scope" in (await issue.case("P004"))["can"]
    closed = await issue.act("out-of-scope", "P004", version=asked["version"])
    assert (closed["phase"], closed["closed_how"]) == ("closed", "out_of_scope")
    track = await issue.track()
    assert (track["closed_how"], track["reply"], track["can"]) == ("out_of_scope", GO_THERE, [])
    assert f"这件事不归这里办：{GO_THERE}" in words(track)
    await minutes_pass(world)
    assert Counter(await issue.told())["resolved", "resident"] == 1
    assert [m["template"] for m in await world.messages(issue) if m["reason"] == "resolved"] == ["out-of-scope"]


async def test_out_of_scope_is_not_confirmed_by_whoever_asked(world: World) -> None:
    issue = await world.report(U1)
    await issue.act("out-of-scope", "P003", reply=GO_THERE)
    before = await state_of(issue)
    refused(await issue.try_act("out-of-scope", "P003", reply=GO_THERE), 409, "for")
    assert await state_of(issue) == before
    assert (await issue.act("decline", "P002", reason="该我们管"))["phase"] == "assigned"


async def test_leaders_cannot_put_a_case_out_of_scope_hand_it_over_or_merge_it(world: World) -> None:
    issue, other = await world.report(U1), await world.report(U2)
    before = await state_of(issue)
    external = {"system": "12345", "number": "A-1"}
    for who in ("P016", "P014", "P010", "P046"):
        assert (await issue.try_act("out-of-scope", who, reply=GO_THERE)).status_code == 403
        assert (await issue.try_act("hand-over", who, external=external, reply="转了")).status_code == 403
        assert (await issue.try_act("merge", who, into=other.id)).status_code == 403
    assert await state_of(issue) == before


# -- hand over --------------------------------------------------------------------------------------------------
async def test_handed_over_says_not_finished_and_keeps_the_other_systems_number(world: World) -> None:
    issue = await accepted(world)
    external = {"system": "12345", "number": "NM-2026-0815"}
    done = await issue.act("hand-over", "P003", external=external, reply="市热线接着办，编号 NM-2026-0815")
    assert (done["closed_how"], done["external"]) == ("handed_over", external)
    track = await issue.track()
    assert any("还没办完" in text for text in words(track))
    assert (track["closed_how"], track["can"]) == ("handed_over", [])
    await minutes_pass(world)
    assert [m["template"] for m in await world.messages(issue) if m["reason"] == "resolved"] == ["handed-over"]
    assert await world.scalar("SELECT count(*) FROM routing.answers") == 0  # never counted as solved


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"external": {"system": "12345", "number": "A-1"}}, ["body", "reply"]),
        ({"reply": "转了"}, ["body", "external"]),
        ({"reply": "转了", "external": {"system": "12345"}}, ["body", "external", "number"]),
        ({"reply": "转了", "external": {"system": " ", "number": "A-1"}}, ["body", "external", "system"]),
        ({"reply": "转了", "external": {"system": "12345", "number": "A" * 201}}, ["body", "external", "number"]),
    ],
)
async def test_a_hand_over_that_lacks_something_names_it(world: World, body: dict[str, Any], field: list[str]) -> None:
    issue = await world.report(U1)
    before = await state_of(issue)
    answer = await issue.try_act("hand-over", "P003", **body)
    assert (answer.status_code, [e["loc"] for e in answer.json()["errors"]]) == (422, [field])
    assert await state_of(issue) == before


# -- merge ------------------------------------------------------------------------------------------------------
async def merged(world: World, place: str = U1, into: str = U2, **how: Any) -> tuple[Issue, Issue]:
    """The first follows the second."""
    follower, lead = await world.report(place, **how), await world.report(into)
    await follower.act("merge", "P003", into=lead.id)
    return follower, lead


async def test_a_merged_case_closes_and_its_lead_moves_to_the_lowest_common_ancestor(world: World) -> None:
    follower, lead = await merged(world)
    case, other = await follower.case(), await lead.case()
    assert (case["phase"], case["closed_how"], case["merged_into"]) == ("closed", "merged", lead.id)
    assert case["hops"][-1]["ended_by"] == "merged"
    assert (other["place"]["grid"], other["holder"]["id"], other["followers"]) == (S1, "P014", 1)
    assert [hop["ended_by"] for hop in other["hops"]] == ["merged", None]
    assert await kinds(lead) == ["opened", "joined", "moved"]
    assert Counter(await lead.told())["assigned", "P014"] == 1


async def test_a_lead_that_stands_high_enough_stays(world: World) -> None:
    lead, follower = await world.report(U2), await world.report(S2U1)
    await lead.act("escalate", "P018", reason="办不了")
    await lead.act("escalate", "P014", reason="办不了")
    before = await lead.case()
    await follower.act("merge", "P003", into=lead.id)
    after = await lead.case()
    assert (after["holder"]["id"], len(after["hops"])) == ("P012", len(before["hops"]))
    assert after["place"]["grid"] == f"{C}-L1-M1"


async def test_whoever_tracks_a_merged_issue_sees_the_progress_of_its_lead_and_never_who_told_it(world: World) -> None:
    follower, lead = await merged(world)
    track = await follower.track()
    assert (track["phase"], track["closed_how"], track["can"]) == ("closed", "merged", [])
    assert (track["holder"]["label"], track["lead"]["phase"]) == ("和平小区1号楼 楼栋长", "assigned")
    assert "和别人报的同一件事合到一起办" in words(track)
    await lead.act("accept", "P014")
    await lead.act("ask", "P014", text="您家电话是多少？")
    await lead.say("reply", text="三楼王家")
    await lead.act("resolve", "P014", reply="总闸修好了")
    await lead.say("answer", solved="no")
    track = await follower.track()
    assert (track["reply"], track["lead"]["phase"], track["holder"]["label"]) == (
        "总闸修好了",
        "assigned",
        "和平小区 小区长",
    )
    text = "\n".join(words(track))
    for shared in ("1号楼 楼栋长来办了", "1号楼 楼栋长说办好了：总闸修好了", "还没解决，已转给"):
        assert shared in text
    for private in ("您说", "王家", "电话", lead.number, "P018"):
        assert private not in text


async def test_every_reporter_hears_when_the_lead_is_resolved_about_her_own_issue(world: World) -> None:
    follower, lead = await merged(world)
    await lead.act("accept", "P014")
    await lead.act("resolve", "P014", reply="总闸修好了")
    await minutes_pass(world)
    told = [m for m in await world.messages(follower) if m["reason"] == "resolved"]
    assert [(m["template"], m["state"]) for m in told] == [("together", "delivered")]
    assert Counter(await lead.told())["resolved", "resident"] == 1
    await lead.say("answer", solved="yes")
    await minutes_pass(world)
    assert [m["template"] for m in await world.messages(follower) if m["reason"] == "resolved"] == ["together"]
    assert (await kinds(follower))[-1] == "lead-ended"


async def test_followers_of_a_follower_hear_of_the_last_lead(world: World) -> None:
    first, second = await merged(world, U1, U2)
    third = await world.report(U1)
    await second.act("merge", "P003", into=third.id)
    assert (await first.track())["lead"]["phase"] == "assigned"
    await third.act("out-of-scope", "P003", reply=GO_THERE)
    await third.act("out-of-scope", "P004")
    for issue in (first, second, third):
        await minutes_pass(world)
        assert (await issue.track())["reply"] == GO_THERE
        assert [m["template"] for m in await world.messages(issue) if m["reason"] == "resolved"] == ["out-of-scope"]


async def test_a_case_that_others_follow_cannot_be_withdrawn(world: World) -> None:
    _, lead = await merged(world)
    before = await state_of(lead)
    answer = await lead.try_say("withdraw")
    assert (answer.status_code, answer.json()["can"]) == (409, [])
    assert await state_of(lead) == before


def refused_into(answer: httpx2.Response) -> str:
    refused(answer, 422, "into")
    return str(answer.json()["errors"][0]["msg"])


async def test_into_itself_into_what_is_unknown_closed_resolved_or_merged_is_refused(world: World) -> None:
    issue, closed, done = await world.report(U1), await world.report(U2), await world.report(U2)
    follower, lead = await merged(world)
    await closed.say("withdraw")
    await done.act("accept", "P018")
    await done.act("resolve", "P018", reply="好了")
    before = await state_of(issue)
    refused_into(await issue.try_act("merge", "P003", into=issue.id))
    unknown = refused_into(await issue.try_act("merge", "P003", into="0199a000-0000-7000-8000-000000000000"))
    for target in (closed, done, follower):
        refused_into(await issue.try_act("merge", "P003", into=target.id))
    refused(await issue.try_act("merge", "P003"), 422, "into")
    refused(await issue.try_act("merge", "P003", into="12"), 422, "into")
    village = await world.report("150902-01-02")
    assert refused_into(await issue.try_act("merge", "P003", into=village.id)) == unknown
    assert await state_of(issue) == before
    assert (await lead.case())["followers"] == 1


async def test_only_a_desk_above_both_merges_what_two_communities_have(world: World) -> None:
    issue, village = await world.report(U1), await world.report("150902-01-02")
    await issue.act("merge", "P002", into=village.id)
    lead = await village.case()
    assert (lead["place"]["grid"], lead["level"], lead["holder"]["id"]) == ("150902-01", "subdistrict", "150902-01")


async def test_a_complaint_about_a_leader_follows_no_case_that_he_may_read(world: World) -> None:
    complaint, issue = await world.report(U1, about_leader=True), await world.report(U1)
    before = await state_of(complaint)
    refused_into(await complaint.try_act("merge", "P003", into=issue.id))
    refused_into(await issue.try_act("merge", "P003", into=complaint.id))
    assert await state_of(complaint) == before


async def test_a_closed_case_is_not_merged_and_a_stale_version_moves_nothing(world: World) -> None:
    follower, lead = await merged(world)
    assert (await follower.try_act("merge", "P003", into=lead.id)).status_code == 409
    issue = await world.report(U1)
    stale = await issue.try_act("merge", "P003", into=lead.id, version=0)
    assert (stale.status_code, stale.json()["type"]) == (409, "urn:chuishao:problem:already-moved")
    assert (await lead.case())["followers"] == 1


async def test_what_sleeps_sleeps_on_at_the_common_place(world: World) -> None:
    lead, follower = await world.report(U2), await world.report(U1)
    await lead.act("suspend", "P018", reason="地冻着", until=UNTIL)
    await lead.act("suspend", "P003")
    await follower.act("merge", "P003", into=lead.id)
    case = await lead.case()
    assert (case["holder"]["id"], case["on_hold"], case["accept_by"]) == ("P014", "suspended", None)
