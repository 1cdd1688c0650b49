"""Open cases follow people and the tree: cases 6, 7, 21, absences by the clock, splits, merges, moves and voids."""

from typing import Any

import pytest

from tests.world import U1, U2, U3, C, Issue, World

M1, M2, S1, S2 = f"{C}-L1-M1", f"{C}-L1-M2", f"{C}-L1-M1-S1", f"{C}-L1-M1-S2"
GRIDS = "/api/directory/grids"


@pytest.fixture(autouse=True)
async def morning(world: World) -> None:
    """Every test begins on the same working day with the district as it was imported."""
    await world.reset()
    await world.anew()


async def absent(world: World, no: str, since: str, until: str, stand_in: str | None = None) -> None:
    away = {"from": f"{since}:00+08:00", "to": f"{until}:00+08:00", "stand_in": stand_in}
    answer = await world.call("PUT", f"/api/directory/people/{no}/absence", "admin", json=away)
    assert answer.status_code == 200, answer.text
    await world.settle()


async def post(world: World, code: str, kind: str, no: str | None) -> None:
    answer = await world.call("PUT", f"{GRIDS}/{code}/posts/{kind}", "command", json={"person": no})
    assert answer.status_code == 200, answer.text
    await world.settle()


async def grid(world: World, method: str, path: str, **body: Any) -> None:
    answer = await world.call(method, f"{GRIDS}{path}", "admin", json=body)
    assert answer.status_code in (200, 201), answer.text
    await world.settle()


async def told(issue: Issue) -> list[str]:
    """Whom `assigned` went to, in turn."""
    return [who for reason, who in await issue.told() if reason == "assigned"]


# -- people -----------------------------------------------------------------------------------------------
async def test_an_absence_that_begins_later_hands_the_case_to_the_stand_in_at_that_moment(world: World) -> None:
    issue = await world.report(U2)
    await absent(world, "P018", "2026-11-24T11:00", "2026-11-30T08:00", "P026")
    assert await issue.holder() == "P018"
    await world.at("2026-11-24 10:59")
    assert await issue.holder() == "P018"
    await world.at("2026-11-24 11:00")
    case = await issue.case()
    assert (case["holder"]["id"], case["phase"], case["hops"][0]["ended_by"]) == ("P026", "assigned", "moved")
    assert await told(issue) == ["P018", "P026"]


async def test_an_absence_that_has_begun_takes_effect_at_once_and_without_a_stand_in_the_next_has_it(
    world: World,
) -> None:
    issue = await world.report(U2)
    await issue.act("accept", "P018")
    await absent(world, "P018", "2026-11-24T00:00", "2026-11-30T08:00")
    case = await issue.case()
    assert (case["holder"]["id"], case["phase"]) == ("P014", "assigned")
    assert [hop["skipped"] for hop in case["hops"]] == [None, "absent", None]
    assert await told(issue) == ["P018", "P014"]


async def test_the_party_post_takes_over_while_the_leader_beside_it_is_away(world: World) -> None:
    issue = await world.report(U1)
    await absent(world, "P016", "2026-11-24T00:00", "2026-11-30T08:00")
    assert await issue.holder() == "P017"
    await world.at("2026-11-30 08:00")
    assert (await issue.case())["hops"][1]["holder"]["id"] == "P017"  # it is his while he has his own post


async def test_on_the_return_date_what_the_stand_in_has_goes_back_to_the_leader(world: World) -> None:
    await absent(world, "P018", "2026-11-24T00:00", "2026-11-24T12:00", "P026")
    issue = await world.report(U2)
    assert await issue.holder() == "P026"
    await world.at("2026-11-24 12:00")
    assert await issue.holder() == "P018"
    assert await told(issue) == ["P026", "P018"]
    former = await issue.try_act("accept", "P026")
    assert (former.status_code, former.json()["type"].rpartition(":")[2]) == (409, "already-moved")


async def test_an_absence_lifted_or_given_another_stand_in_moves_the_case_as_well(world: World) -> None:
    await absent(world, "P018", "2026-11-24T00:00", "2026-11-30T08:00", "P026")
    issue = await world.report(U2)
    await absent(world, "P018", "2026-11-24T00:00", "2026-11-30T08:00", "P024")
    assert await issue.holder() == "P024"
    assert (await world.call("DELETE", "/api/directory/people/P018/absence", "P018")).status_code == 200
    await world.settle()
    assert await issue.holder() == "P018"
    assert await world.rows("SELECT * FROM routing.turn") == []


async def test_a_stand_in_who_goes_away_hands_on_what_he_has(world: World) -> None:
    await absent(world, "P018", "2026-11-24T00:00", "2026-11-30T08:00", "P026")
    issue = await world.report(U2)
    await absent(world, "P026", "2026-11-24T00:00", "2026-11-30T08:00")
    assert await issue.holder() == "P014"


async def test_case_21_a_post_given_to_somebody_else_gives_him_the_open_cases_too(world: World) -> None:
    issue = await world.report(U2)
    await post(world, U2, "leader", "P026")
    assert (await issue.holder(), await told(issue)) == ("P026", ["P018", "P026"])


async def test_case_21_a_desk_below_community_that_is_emptied_hands_on_what_it_has(world: World) -> None:
    await post(world, M2, "desk", "P024")
    issue = await world.report(M2)
    assert await issue.holder() == M2
    await post(world, M2, "desk", None)
    assert await issue.holder() == "P010"


async def test_case_21_what_was_on_hold_stays_on_hold_in_the_new_hands(world: World) -> None:
    issue = await world.report(U2)
    await world.sql("UPDATE routing.cases SET topic = uuidv7() WHERE id = :id", id=issue.id)
    await world.sql("UPDATE routing.cases SET on_hold = 'deliberation', accept_by = NULL, resolve_by = NULL")
    await post(world, U2, "leader", None)
    case = await issue.case()
    assert (case["holder"]["id"], case["on_hold"], case["accept_by"]) == ("P014", "deliberation", None)
    assert await told(issue) == ["P018", "P014"]


async def test_case_21_what_is_suspended_sleeps_on_in_the_new_hands_until_its_day(world: World) -> None:
    issue = await world.report(U2)
    until = "2026-12-01T09:00:00+08:00"
    await issue.act("suspend", "P018", reason="地冻着", until=until)
    await issue.act("suspend", "P003")
    await post(world, U2, "leader", None)
    assert (await issue.holder(), (await issue.case())["on_hold"]) == ("P014", "suspended")
    await world.at("2026-12-01 08:59")
    assert (await issue.case())["on_hold"] == "suspended"
    await world.at("2026-12-01 09:00")
    assert ((await issue.case())["on_hold"], await issue.holder()) == (None, "P014")


async def test_who_has_left_the_post_cannot_claim_what_he_had_there(world: World) -> None:
    issue = await world.report(U2, "WAT.leak")
    await world.advance(minutes=31)
    assert (await issue.case("P018"))["can"] == ["claim"]
    await post(world, U2, "leader", None)
    assert (await issue.case("P018"))["can"] == []
    refused = await issue.try_act("claim", "P018")
    assert (refused.status_code, await issue.holder()) == (409, "P014")


async def test_after_the_third_no_the_new_hands_have_no_deadline_either(world: World) -> None:
    issue = await world.report(U2)
    for who in ("P018", "P014", "P012"):
        await issue.act("accept", who)
        await issue.act("resolve", who, reply="好了")
        await issue.say("answer", solved="no")
    assert (await issue.holder(), (await issue.case())["resolve_by"]) == (C, None)
    await grid(world, "POST", "", code="150902-01-03", level="community", label="新建社区", parent="150902-01")
    await grid(world, "PUT", f"/{C}-L1", parent="150902-01-03")
    case = await issue.case()
    assert (case["holder"]["id"], case["accept_by"], case["resolve_by"]) == ("150902-01-03", None, None)
    assert case["supervised"]


# -- the tree ---------------------------------------------------------------------------------------------
async def test_a_split_grid_s_cases_follow_at_once_and_the_new_leader_is_told(world: World) -> None:
    issue = await world.report(U2)
    await issue.act("escalate", "P018", reason="办不了")
    assert await issue.holder() == "P014"
    new = f"{M1}-S3"
    await grid(world, "POST", "", code=new, level="small", label="3号楼", parent=M1)
    await post(world, new, "leader", "P026")
    await grid(world, "PUT", f"/{U2}", parent=new)
    assert (await issue.holder(), await told(issue)) == ("P026", ["P018", "P014", "P026"])
    assert [hop["ended_by"] for hop in (await issue.case())["hops"]] == ["escalated", "moved", None]


async def test_a_merged_grid_s_cases_go_to_the_leader_of_the_other_and_it_is_read_from_there(world: World) -> None:
    issue = await world.report(U2)
    await grid(world, "POST", f"/{U2}/void", into=U1)
    case = await issue.case("P016")
    assert (case["holder"]["id"], case["level"], case["grid"]) == ("P016", "micro", U1)
    assert case["place"]["grid"] == U2
    assert await told(issue) == ["P018", "P016"]
    assert (await world.call("GET", f"/api/intake/issues/{issue.id}", "P016")).status_code == 200
    assert issue.id in [
        item["id"] for item in (await world.call("GET", f"/api/routing/cases?grid={U1}", "command")).json()["items"]
    ]


async def test_case_06_a_grid_voided_while_a_case_waits_there_hands_it_to_the_next_that_exists(world: World) -> None:
    issue = await world.report(U2)
    await grid(world, "POST", f"/{U2}/void")
    case = await issue.case()
    assert (case["holder"]["id"], case["level"], case["hops"][0]["ended_by"]) == ("P014", "small", "moved")
    later = await world.report(U3)
    await grid(world, "POST", f"/{U3}/void")
    assert await later.holder() == "P014"  # was his already, and still is: nothing happens
    assert len((await later.case())["hops"]) == 2


async def test_case_07_a_grid_moved_and_back_the_new_holder_is_told_at_once_the_old_deadline_never_fires(
    world: World,
) -> None:
    issue = await world.report(U1, "WAT.leak")  # urgent: small accepts within 30 minutes
    await issue.act("escalate", "P016", reason="办不了")
    assert await issue.holder() == "P014"
    await world.advance(minutes=20)
    await grid(world, "PUT", f"/{U1}", parent=S2)
    assert (await issue.holder(), await told(issue)) == ("P020", ["P016", "P014", "P020"])
    await world.advance(minutes=15)  # P014's deadline has passed
    assert await issue.holder() == "P020"
    await grid(world, "PUT", f"/{U1}", parent=S1)
    assert (await issue.holder(), await told(issue)) == ("P014", ["P016", "P014", "P020", "P014"])
    await world.advance(minutes=20)  # P020's deadline has passed
    assert await issue.holder() == "P014"
    await world.advance(minutes=11)
    assert await issue.holder() == "P012"


async def test_a_merged_community_s_whistle_belongs_to_the_other_desk(world: World) -> None:
    await grid(world, "POST", "", code="150902-01-03", level="community", label="新建社区", parent="150902-01")
    await post(world, "150902-01-03", "desk", "P005")
    issue = await world.report(C)
    body = {"version": (await issue.case())["version"], "occasion": "demand", "lead": "WATER", "assisting": []}
    answer = await world.call(
        "POST", f"/api/routing/cases/{issue.id}/whistles", "P003", json={**body, "text": "请到场"}
    )
    assert answer.status_code == 201, answer.text
    await grid(world, "POST", f"/{C}/void", into="150902-01-03")
    case = await issue.case()
    assert (case["holder"]["id"], case["on_hold"]) == ("150902-01-03", "whistle")
    path = f"/api/routing/whistles/{answer.json()['id']}/withdraw"
    version = await world.scalar("SELECT version FROM routing.whistles")
    done = await world.call("POST", path, "P005", json={"version": version, "reason": "不用了"})
    assert done.status_code == 200, done.text
    assert (await issue.case())["on_hold"] is None


async def test_case_07_a_case_put_at_another_grid_and_back_is_told_at_once_and_no_old_deadline_fires(
    world: World,
) -> None:
    issue = await world.report(U1)
    path = f"/api/intake/issues/{issue.id}/place"
    first = (await issue.case())["accept_by"]
    for hours, grid, holder in ((1, U2, "P018"), (1, U1, "P016")):
        await world.advance(hours=hours)
        assert (await world.call("PUT", path, "P003", json={"grid": grid})).status_code == 200
        await world.settle()
        assert await issue.holder() == holder
    assert [who for reason, who in await issue.told() if reason == "assigned"] == ["P016", "P018", "P016"]
    await world.advance(hours=2.5)
    case = await issue.case()
    assert (case["holder"]["id"], case["now"] > first, len(case["hops"])) == ("P016", True, 3)


async def test_whoever_sits_at_no_desk_above_both_places_puts_nothing_elsewhere(world: World) -> None:
    issue = await world.report(U1)
    path = f"/api/intake/issues/{issue.id}/place"
    for who, grid in (("P006", U2), ("P003", "150902-01-02"), ("P016", U2)):
        assert (await world.call("PUT", path, who, json={"grid": grid})).status_code in (403, 404)
    assert await issue.holder() == "P016"
