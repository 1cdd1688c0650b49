"""Acts that give a case back, and those that take two: return, suspend, extend, out of scope, hand-over; case 9 (second
half). What is refused names its field and changes nothing."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx2
import pytest

from tests.world import U1, C, Issue, World

CHINA = ZoneInfo("Asia/Shanghai")
S1 = f"{C}-L1-M1-S1"
UNTIL = "2026-12-20T08:00:00+08:00"
PAST = "2026-11-20T08:00:00+08:00"
FAR = "2028-01-01T08:00:00+08:00"


@pytest.fixture(autouse=True)
async def morning(world: World) -> None:
    await world.reset()


def local(text: str | None) -> str:
    assert text is not None
    return datetime.fromisoformat(text).astimezone(CHINA).strftime("%m-%d %H:%M")


async def kinds(issue: Issue) -> list[str]:
    rows = await issue.world.rows("SELECT kind FROM routing.history WHERE case_id = :id ORDER BY seq", id=issue.id)
    return [row["kind"] for row in rows]


async def state_of(issue: Issue) -> dict[str, Any]:
    """Everything that an act could change, and no time of the day."""
    case = await issue.case()
    return {**{k: v for k, v in case.items() if k != "now"}, "kinds": await kinds(issue)}


def refused(answer: httpx2.Response, status: int, *fields: str) -> None:
    assert answer.status_code == status, answer.text
    assert [error["loc"] for error in answer.json()["errors"]] == [["body", field] for field in fields]


async def accepted(world: World, who: str = "P016") -> Issue:
    issue = await world.report(U1)
    await issue.act("accept", who)
    return issue


# -- return ---------------------------------------------------------------------------------------------------
async def test_a_holder_gives_it_back_to_the_last_one_below_with_a_full_term(world: World) -> None:
    issue = await world.report(U1)
    await issue.act("escalate", "P016", reason="办不了")
    await world.advance(hours=1)
    back = await issue.act("return", "P014", reason="换灯泡，单元长能办")
    assert (back["holder"]["id"], back["phase"], back["can"]) == ("P016", "assigned", [])
    assert [(h["ended_by"], h["level"]) for h in back["hops"]] == [
        ("escalated", "micro"),
        ("returned", "small"),
        (None, "micro"),
    ]
    assert (local(back["accept_by"]), local(back["resolve_by"])) == ("11-24 15:00", "11-25 20:00")
    assert await kinds(issue) == ["opened", "escalated", "returned"]
    assert Counter(await issue.told())["assigned", "P016"] == 2
    assert "转回给1号楼1单元 单元长" in [line["text"] for line in (await issue.track())["history"]]


async def test_levels_that_were_skipped_are_not_returned_to(world: World) -> None:
    issue = await world.report(f"{C}-L1-M2-S1-U1")
    await issue.act("escalate", "P023", reason="办不了")
    await issue.act("escalate", "P022", reason="办不了")  # the middle level is vacant
    back = await issue.act("return", "P010", reason="楼栋能办")
    assert (back["holder"]["id"], back["level"]) == ("P022", "small")


async def test_a_case_is_returned_once_and_never_below_its_first_level(world: World) -> None:
    issue = await world.report(U1)
    assert "return" not in (await issue.case("P016"))["can"]
    refused(await issue.try_act("return", "P016", reason="不想办"), 409)
    await issue.act("escalate", "P016", reason="办不了")
    await issue.act("return", "P014", reason="能办")
    await issue.act("escalate", "P016", reason="真办不了")
    before = await state_of(issue)
    assert "return" not in (await issue.case("P014"))["can"]
    answer = await issue.try_act("return", "P014", reason="能办")
    refused(answer, 409)
    assert answer.json()["type"] == "urn:chuishao:problem:wrong-state"
    assert await state_of(issue) == before


async def test_a_reopened_case_is_not_returned_to_the_hand_that_said_it_was_solved(world: World) -> None:
    issue = await accepted(world)
    await issue.act("resolve", "P016", reply="换好了")
    await issue.say("answer", solved="no")
    assert "return" not in (await issue.case("P014"))["can"]
    refused(await issue.try_act("return", "P014", reason="他能办"), 409)


async def test_what_is_given_back_to_somebody_who_has_left_goes_to_whoever_is_next(world: World) -> None:
    issue = await world.report(U1)
    await issue.act("escalate", "P016", reason="办不了")
    path = f"/api/directory/grids/{U1}/posts/leader"
    try:
        assert (await world.call("PUT", path, "admin", json={"person": None})).status_code == 200
        await world.settle()
        back = await issue.act("return", "P014", reason="能办")
        assert back["holder"]["id"] == "P017"  # the party post
    finally:
        await world.call("PUT", path, "admin", json={"person": "P016"})
        await world.settle()


async def test_an_urgent_case_is_returned_to_nobody_at_night(world: World) -> None:
    issue = await world.report(U1, "WAT.leak")
    await issue.act("escalate", "P016", reason="办不了")
    await world.at("2026-11-24 10:20")
    assert "return" in (await issue.case("P014"))["can"]
    await world.sql("UPDATE clock_shift SET shift = shift + interval '12 hours 30 minutes'")
    assert "return" not in (await issue.case("P014"))["can"]


async def test_case_09_handed_back_and_forth_resolve_by_fires_exactly_then_and_never_later(world: World) -> None:
    """P016 up, P014 back, P016 up again and accepted there: every hop has a full term of its own, and those of the
    hops that are over never fire."""
    issue = await world.report(U1)
    await issue.act("escalate", "P016", reason="办不了")
    await world.advance(hours=2)
    await issue.act("return", "P014", reason="能办")
    await world.advance(hours=1)
    await issue.act("escalate", "P016", reason="真办不了")
    case = await issue.act("accept", "P014")
    due = datetime.fromisoformat(case["resolve_by"])
    assert local(case["resolve_by"]) == "11-26 07:00"  # 24 open hours from 13:00 on
    seen = await kinds(issue)
    await world.at((due - timedelta(minutes=1)).astimezone(CHINA).strftime("%Y-%m-%d %H:%M"))
    assert await issue.holder() == "P014"
    assert [kind for kind in await kinds(issue) if kind != "reminded"] == seen
    await world.advance(minutes=1, seconds=2)
    after = await issue.case()
    assert (after["holder"]["id"], after["hops"][-2]["ended_by"]) == ("P012", "resolve_timeout")
    moved = [kind for kind in await kinds(issue) if kind == "escalated"]
    await issue.act("accept", "P012")
    await issue.act("resolve", "P012", reply="换好了")
    await issue.say("answer", solved="yes")
    await world.advance(days=200)  # nor months later at night
    assert [kind for kind in await kinds(issue) if kind == "escalated"] == moved
    assert (await issue.case())["closed_how"] == "confirmed"


# -- suspend --------------------------------------------------------------------------------------------------
async def test_suspended_by_two_the_clocks_stand_still_until_the_wake_up_date(world: World) -> None:
    issue = await accepted(world)
    asked = await issue.act("suspend", "P016", reason="地冻着，挖不了", until=UNTIL)
    request = asked["request"]
    assert (request["act"], request["by"], request["reason"]) == ("suspend", "P016", "地冻着，挖不了")
    assert (local(request["until"]), asked["on_hold"]) == ("12-20 08:00", None)
    assert "suspend" in (await issue.case("P003"))["can"]
    version = asked["version"]
    granted = await issue.act("suspend", "P003", version=version)  # asking did not change the version
    assert (granted["on_hold"], local(granted["wake_at"])) == ("suspended", "12-20 08:00")
    assert (granted["accept_by"], granted["resolve_by"], granted["request"]) == (None, None, None)
    await world.advance(days=10)
    assert await issue.holder() == "P016"
    await world.at("2026-12-20 08:01")
    awake = await issue.case()
    assert (awake["on_hold"], awake["holder"]["id"], awake["wake_at"]) == (None, "P016", None)
    # The term was 24 open hours, and none were over; volunteers' hours are 07-22.
    assert local(awake["resolve_by"])[:5] == "12-21"
    assert [k for k in await kinds(issue) if k not in ("supervised",)] == [
        "opened",
        "accepted",
        "requested",
        "suspended",
        "woken",
    ]


async def test_the_resident_sees_why_and_until_when_and_is_told_once(world: World) -> None:
    issue = await accepted(world)
    await issue.act("suspend", "P016", reason="地冻着，挖不了", until=UNTIL)
    await issue.act("suspend", "P003")
    track = await issue.track()
    assert "先放一放：地冻着，挖不了。12月20日接着办" in [line["text"] for line in track["history"]]
    assert (track["on_hold"], local(track["wake_at"])) == ("suspended", "12-20 08:00")
    for _ in range(2):  # one text a minute, and she hears that it was accepted first
        await world.advance(minutes=2)
    assert Counter(await issue.told())["suspended", "resident"] == 1


async def test_at_least_the_policys_rest_is_left_when_it_goes_on(world: World) -> None:
    issue = await accepted(world)
    case = await issue.case()
    due = datetime.fromisoformat(case["resolve_by"]).astimezone(CHINA)
    await world.at((due - timedelta(minutes=10)).strftime("%Y-%m-%d %H:%M"))
    await issue.act("suspend", "P016", reason="地冻着", until=UNTIL)
    await issue.act("suspend", "P003")
    await world.at("2026-12-20 08:00")
    await world.settle()
    assert local((await issue.case())["resolve_by"]) == "12-20 12:00"


@pytest.mark.parametrize("who", ["P016", "P003"])
async def test_the_holder_or_a_desk_takes_it_up_again_before_its_date(world: World, who: str) -> None:
    issue = await accepted(world)
    await issue.act("suspend", "P016", reason="地冻着", until=UNTIL)
    await issue.act("suspend", "P004")
    assert "resume" in (await issue.case(who))["can"]
    assert "resume" not in (await issue.case("P014"))["can"]
    awake = await issue.act("resume", who)
    assert (awake["on_hold"], awake["holder"]["id"]) == (None, "P016")
    await world.at("2026-12-20 08:01")
    assert (await kinds(issue)).count("woken") == 1
    assert "接着办" in [line["text"] for line in (await issue.track())["history"]]


async def test_a_suspension_is_declined_and_nothing_has_changed_but_the_history(world: World) -> None:
    issue = await accepted(world)
    before = await issue.case()
    await issue.act("suspend", "P016", reason="地冻着", until=UNTIL)
    assert "decline" in (await issue.case("P003"))["can"]
    declined = await issue.act("decline", "P003", reason="先抢修")
    assert declined["request"] is None
    same = ("phase", "on_hold", "version", "holder", "resolve_by")
    assert {k: declined[k] for k in same} == {k: before[k] for k in same}
    assert await kinds(issue) == ["opened", "accepted", "requested", "declined"]
    await issue.act("suspend", "P016", reason="还是挖不了", until=UNTIL)  # may be asked again


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"reason": "地冻着", "until": PAST}, "until"),
        ({"reason": "地冻着", "until": FAR}, "until"),
        ({"reason": "地冻着"}, "until"),
        ({"reason": "地冻着", "until": "2026-12-20T08:00:00"}, "until"),
        ({"reason": "地冻着", "until": "明天"}, "until"),
        ({"until": UNTIL}, "reason"),
        ({"until": UNTIL, "reason": "  "}, "reason"),
    ],
)
@pytest.mark.parametrize("act", ["suspend", "extend"])
async def test_a_date_in_the_past_too_far_or_missing_is_refused_and_nothing_is_changed(
    world: World, act: str, body: dict[str, str], field: str
) -> None:
    issue = await accepted(world)
    before = await state_of(issue)
    refused(await issue.try_act(act, "P016", **body), 422, field)
    assert await state_of(issue) == before


async def test_whoever_grants_may_set_another_date_and_that_is_checked_as_well(world: World) -> None:
    issue = await accepted(world)
    await issue.act("suspend", "P016", reason="地冻着", until=UNTIL)
    before = await state_of(issue)
    refused(await issue.try_act("suspend", "P003", until=PAST), 422, "until")
    assert await state_of(issue) == before
    granted = await issue.act("suspend", "P003", until="2026-12-10T08:00:00+08:00")
    assert local(granted["wake_at"]) == "12-10 08:00"


async def test_a_date_that_passed_while_nobody_decided_cannot_be_granted(world: World) -> None:
    issue = await accepted(world)
    await issue.act("suspend", "P016", reason="等材料", until="2026-11-24T11:00:00+08:00")
    await world.advance(hours=2)
    refused(await issue.try_act("suspend", "P003"), 422, "until")


@pytest.mark.parametrize("act", ["suspend", "extend"])
async def test_the_asker_cannot_grant_it_himself(world: World, act: str) -> None:
    """Nor may a desk that asked for the holder, nor command twice."""
    for who, for_ in (("P016", {}), ("P003", {"for": "P016"}), ("command", {"for": "P016"})):
        issue = await accepted(world)
        body = {"reason": "等材料", "until": UNTIL, **for_}
        await issue.act(act, who, **body)
        before = await state_of(issue)
        again = await issue.try_act(act, who, **body)
        refused(again, 409, "for")
        assert act not in again.json()["can"]
        assert act not in (await issue.case(who))["can"]
        assert "decline" not in (await issue.case(who))["can"]
        assert await state_of(issue) == before


async def test_one_request_at_a_time_and_it_lapses_with_the_stay(world: World) -> None:
    issue = await accepted(world)
    await issue.act("extend", "P016", reason="等材料", until=UNTIL)
    refused(await issue.try_act("suspend", "P016", reason="地冻着", until=UNTIL), 409)
    await issue.act("escalate", "P016", reason="不等了")
    case = await issue.case("P003")
    assert (case["request"], "extend" in case["can"], "decline" in case["can"]) == (None, False, False)
    refused(await issue.try_act("decline", "P003", reason="不同意"), 409)


async def test_a_desk_asks_for_a_leader_who_telephones_and_another_of_the_desk_grants(world: World) -> None:
    issue = await accepted(world)
    asked = await issue.act("suspend", "P003", reason="他来电话，地冻着", until=UNTIL, **{"for": "P016"})
    assert (asked["request"]["by"], asked["request"]["for"]) == ("P003", "P016")
    row = await world.rows(
        "SELECT p.no FROM routing.history h JOIN directory.v1_person p ON p.id = h.acting_for"
        " WHERE case_id = :id AND kind = 'requested'",
        id=issue.id,
    )
    assert row[0]["no"] == "P016"
    assert (await issue.act("suspend", "P004"))["on_hold"] == "suspended"


async def test_a_suspended_case_of_somebody_who_leaves_sleeps_on_in_the_next_hand(world: World) -> None:
    issue = await accepted(world)
    await issue.act("suspend", "P016", reason="地冻着", until=UNTIL)
    await issue.act("suspend", "P003")
    path = f"/api/directory/grids/{U1}/posts/leader"
    try:
        assert (await world.call("PUT", path, "admin", json={"person": None})).status_code == 200
        await world.settle()
        case = await issue.case()
        assert (case["holder"]["id"], case["on_hold"], local(case["wake_at"])) == ("P017", "suspended", "12-20 08:00")
        assert case["accept_by"] is None
        await world.at("2026-12-20 08:01")
        assert (await issue.case())["on_hold"] is None
    finally:
        await world.call("PUT", path, "admin", json={"person": "P016"})
        await world.settle()


# -- extend ---------------------------------------------------------------------------------------------------
async def test_extended_by_two_the_deadline_is_later_and_the_reason_is_shown(world: World) -> None:
    issue = await accepted(world)
    asked = await issue.act("extend", "P016", reason="等材料", until=UNTIL)
    assert local(asked["resolve_by"]) != "12-20 08:00"
    assert "extend" in (await issue.case("P014"))["can"]  # a level above
    granted = await issue.act("extend", "P014", version=asked["version"])
    assert (local(granted["resolve_by"]), granted["version"]) == ("12-20 08:00", asked["version"])
    assert "要多些时间：等材料。12月20日前办好" in [line["text"] for line in (await issue.track())["history"]]
    for _ in range(2):  # one text a minute, and she hears that it was accepted first
        await world.advance(minutes=2)
    assert Counter(await issue.told())["extended", "resident"] == 1
    await world.at("2026-12-20 07:58")
    assert await issue.holder() == "P016"
    await world.at("2026-12-20 08:01")
    assert await issue.holder() == "P014"


async def test_an_extension_is_asked_once_in_a_stay_and_only_for_a_later_date(world: World) -> None:
    issue = await accepted(world)
    before = await state_of(issue)
    refused(await issue.try_act("extend", "P016", reason="等", until="2026-11-24T11:00:00+08:00"), 422, "until")
    assert await state_of(issue) == before
    await issue.act("extend", "P016", reason="等材料", until=UNTIL)
    await issue.act("decline", "P014", reason="不用等")
    assert "extend" not in (await issue.case("P016"))["can"]
    refused(await issue.try_act("extend", "P016", reason="等材料", until=UNTIL), 409)


async def test_only_an_accepted_case_is_extended(world: World) -> None:
    issue = await world.report(U1)
    refused(await issue.try_act("extend", "P016", reason="等材料", until=UNTIL), 409)


async def test_who_stands_no_level_above_grants_no_extension(world: World) -> None:
    issue = await accepted(world)
    await issue.act("extend", "P016", reason="等材料", until=UNTIL)
    before = await state_of(issue)
    for who in ("P017", "P046"):  # the party post beside him, a bound member
        assert (await issue.try_act("extend", who, reason="同意", until=UNTIL)).status_code == 403
        assert (await issue.try_act("decline", who, reason="不同意")).status_code == 403
    assert (await issue.try_act("suspend", "P014", reason="同意", until=UNTIL)).status_code == 403
    assert await state_of(issue) == before


async def test_a_granted_extension_stands_when_the_question_pauses_it(world: World) -> None:
    issue = await accepted(world)
    await issue.act("extend", "P016", reason="等材料", until=UNTIL)
    await issue.act("extend", "P003")
    await issue.act("ask", "P016", text="几楼？")
    await world.advance(hours=3)
    await issue.say("reply", text="三楼")
    assert local((await issue.case())["resolve_by"]) == "12-20 11:00"
