"""The ladder: cases 1, 2, 5, 6, 21, 22, 23, 26, 34, and who is next."""

import pytest

from tests.world import U1, U2, U3, C, World

L1, M1, S1 = f"{C}-L1", f"{C}-L1-M1", f"{C}-L1-M1-S1"
S2U1, S2U2, M2U1, L2U1 = f"{C}-L1-M1-S2-U1", f"{C}-L1-M1-S2-U2", f"{C}-L1-M2-S1-U1", f"{C}-L2-M1-S1-U1"


@pytest.fixture(autouse=True)
async def morning(world: World) -> None:
    """Every test begins on the same working day, with nothing left of the one before."""
    await world.reset()


async def skipped(issue: object) -> list[tuple[str, str]]:
    case = await issue.case()  # type: ignore[attr-defined]
    return [(hop["level"], hop["skipped"]) for hop in case["hops"] if hop["skipped"]]


async def test_case_01_only_the_unit_leader_is_told_until_the_term_is_over_then_the_next(world: World) -> None:
    issue = await world.report(U1, "WAT.leak")  # urgent: accept within 30 minutes
    assert [who for reason, who in await issue.told() if reason == "assigned"] == ["P016"]
    await world.advance(minutes=28, seconds=30)
    assert [who for reason, who in await issue.told() if reason == "assigned"] == ["P016"]
    await world.advance(seconds=91)
    assert [who for reason, who in await issue.told() if reason == "assigned"] == ["P016", "P014"]
    hop = (await issue.case())["hops"][0]
    assert hop["ended_by"] == "accept_timeout"


async def test_case_02_accepted_in_the_last_second_nothing_happens_ever(world: World) -> None:
    issue = await world.report(U1, "WAT.leak")
    await world.advance(minutes=28, seconds=30)
    await issue.act("accept", "P016")
    await world.advance(seconds=95)
    case = await issue.case()
    assert (case["phase"], case["holder"]["id"], case["accept_by"]) == ("accepted", "P016", None)
    assert len(case["hops"]) == 1


async def test_case_05_a_vacant_level_is_skipped_at_once_with_its_reason(world: World) -> None:
    issue = await world.report(U3)
    case = await issue.case()
    assert case["holder"]["id"] == "P014"
    first, second = case["hops"]
    assert (first["skipped"], first["holder"], first["ended_by"]) == ("vacant", None, None)
    assert first["since"] == first["until"] == second["since"]


async def test_a_vacant_level_in_mid_climb_is_skipped(world: World) -> None:
    issue = await world.report(M2U1)
    assert await issue.holder() == "P023"
    await issue.act("escalate", "P023", reason="要动管道")
    await issue.act("escalate", "P022", reason="要动管道")
    assert await issue.holder() == "P010"
    assert await skipped(issue) == [("middle", "vacant")]


async def test_an_absent_leader_is_passed_over_and_his_stand_in_is_not(world: World) -> None:
    away = {"from": "2026-11-24T00:00:00+08:00", "to": "2026-11-30T00:00:00+08:00"}
    path = "/api/directory/people/P023/absence"
    assert (await world.call("PUT", path, "P023", json=away)).status_code == 200
    try:
        alone = await world.report(M2U1)
        assert (await skipped(alone), await alone.holder()) == ([("micro", "absent")], "P022")
        assert (await world.call("PUT", path, "P023", json={**away, "stand_in": "P026"})).status_code == 200
        covered = await world.report(M2U1)
        assert (await skipped(covered), await covered.holder()) == ([], "P026")
    finally:
        assert (await world.call("DELETE", path, "P023")).status_code == 200


async def test_the_party_post_acts_where_there_is_no_leader(world: World) -> None:
    issue = await world.report(f"{C}-L2")
    assert await issue.holder() == "P011"


async def test_a_village_starts_at_its_desk(world: World) -> None:
    issue = await world.report("150902-01-02")
    case = await issue.case()
    assert (case["level"], case["holder"]["kind"], case["holder"]["id"]) == ("community", "desk", "150902-01-02")


async def test_a_place_above_community_starts_at_its_desk(world: World) -> None:
    assert await (await world.report("150902-01")).holder() == "150902-01"


async def test_the_start_level_is_the_higher_of_the_place_and_the_item(world: World) -> None:
    lift = await world.report(U1, "LIFT.fault")  # starts at middle
    assert (await lift.case())["level"] == "middle"
    illegal = await world.report(U1, "BLD.illegal")  # starts at community
    assert (await illegal.case())["level"] == "community"
    large = await world.report(L1, "FAC.light")
    assert (await large.case())["level"] == "large"


async def test_case_21_when_a_holder_leaves_the_post_the_open_case_moves_to_whoever_is_next(world: World) -> None:
    issue = await world.report(U2)
    assert await issue.holder() == "P018"
    post = f"/api/directory/grids/{U2}/posts/leader"
    assert (await world.call("PUT", post, "command", json={"person": None})).status_code == 200
    try:
        await world.settle()
        case = await issue.case()
        assert (case["holder"]["id"], case["hops"][0]["ended_by"]) == ("P014", "moved")
        assert ("assigned", "P014") in await issue.told()
    finally:
        await world.call("PUT", post, "command", json={"person": "P018"})


async def test_case_22_the_same_person_at_two_levels_is_passed_once(world: World) -> None:
    issue = await world.report(S2U1)
    assert await issue.holder() == "P020"
    await issue.act("escalate", "P020", reason="办不了")
    assert (await issue.holder(), await skipped(issue)) == ("P012", [("small", "same_person")])


async def test_case_23_the_reporter_who_is_the_only_candidate_is_passed_over_and_no_resident_sees_why(
    world: World,
) -> None:
    issue = await world.report(U2, who="P018")
    assert (await issue.holder(), await skipped(issue)) == ("P014", [("micro", "recused")])
    assert "recused" not in str(await issue.track())
    leader_sees = await issue.case("P014")
    assert [hop["skipped"] for hop in leader_sees["hops"]] == [None]


async def test_case_23_the_party_post_beside_the_reporting_leader_gets_it(world: World) -> None:
    issue = await world.report(U1, who="P016")
    assert await issue.holder() == "P017"


async def test_case_23_a_complaint_about_the_leader_passes_everyone_at_the_place_and_is_hidden_from_them(
    world: World,
) -> None:
    issue = await world.report(U1, about_leader=True)
    assert (await issue.holder(), await skipped(issue)) == ("P014", [("micro", "recused")])
    for no in ("P016", "P017"):
        assert (await world.call("GET", f"/api/routing/cases/{issue.id}", no)).status_code == 404
        assert (await world.call("GET", f"/api/intake/issues/{issue.id}", no)).status_code == 404


async def test_case_23_a_complaint_about_the_desks_people_goes_to_the_desk_above(world: World) -> None:
    issue = await world.report(C, about_leader=True)
    assert (await issue.holder(), await skipped(issue)) == ("150902-01", [("community", "recused")])


async def test_case_23_a_leaders_own_find_opens_accepted_and_closes_without_a_question(world: World) -> None:
    issue = await world.report(U1, who="P016", own=True)
    case = await issue.case()
    assert (case["phase"], case["holder"]["id"], case["accept_by"]) == ("accepted", "P016", None)
    done = await issue.act("resolve", "P016", reply="换了灯泡")
    assert (done["phase"], done["closed_how"]) == ("closed", "own")
    assert await issue.told() == []


async def test_case_26_someone_without_a_channel_is_skipped_and_the_desk_is_told(world: World) -> None:
    issue = await world.report(S2U2)
    assert (await issue.holder(), await skipped(issue)) == ("P020", [("micro", "unreachable")])
    assert {who for reason, who in await issue.told() if reason == "unreachable"} == {"P003", "P004"}


async def test_case_34_the_willing_leader_who_is_late_may_claim_while_the_level_above_has_not_accepted(
    world: World,
) -> None:
    issue = await world.report(U1, "WAT.leak")
    await world.advance(minutes=31)
    assert await issue.holder() == "P014"
    assert (await issue.case("P016"))["can"] == ["claim"]
    late = await issue.try_act("accept", "P016", version=1)
    assert (late.status_code, late.json()["type"].rsplit(":", 1)[-1]) == (409, "already-moved")
    assert late.json()["can"] == ["claim"]
    case = await issue.act("claim", "P016")
    assert (case["holder"]["id"], case["phase"], case["hops"][1]["ended_by"]) == ("P016", "accepted", "taken")


async def test_case_34_once_the_level_above_has_accepted_it_cannot_be_claimed(world: World) -> None:
    issue = await world.report(U1, "WAT.leak")
    await world.advance(minutes=31)
    await issue.act("accept", "P014")
    refused = await issue.try_act("claim", "P016")
    assert (refused.status_code, refused.json()["phase"]) == (409, "accepted")
    assert await issue.holder() == "P014"


async def test_after_a_claim_the_level_above_can_get_it_again(world: World) -> None:
    issue = await world.report(U1, "WAT.leak")
    await world.advance(minutes=31)
    await issue.act("claim", "P016")
    await issue.act("escalate", "P016", reason="真办不了")
    assert await issue.holder() == "P014"


async def test_a_bound_party_member_may_claim(world: World) -> None:
    issue = await world.report(U1)
    assert (await issue.case("P046"))["can"] == ["claim"]
    case = await issue.act("claim", "P046")
    assert (case["holder"]["id"], case["level"], case["phase"]) == ("P046", "micro", "accepted")


async def test_case_06_a_level_removed_while_a_case_waits_there_goes_on_to_the_next_that_exists(world: World) -> None:
    issue = await world.report(L2U1)
    await issue.act("escalate", "P026", reason="办不了")
    assert await issue.holder() == "P025"
    await world.without_grid(f"{C}-L2-M1-S1")
    case = await issue.case()
    assert (case["holder"]["id"], case["level"]) == ("P024", "middle")
    assert case["hops"][-2]["ended_by"] == "moved"
    assert ("assigned", "P024") in await issue.told()
