"""The supervision list 督办: its trail of notes, who has it in charge, its own clock, the way back onto the ladder."""

from typing import Any

import httpx2
import pytest

from tests.world import U1, C, Issue, World

PATH = "/api/routing/supervision"
NOTHING = "0199a000-0000-7000-8000-000000000000"


@pytest.fixture(autouse=True)
async def morning(world: World) -> None:
    """Every test begins on the same Tuesday, with nothing left of the one before."""
    await world.reset()


async def listed(world: World) -> Issue:
    """A case that timed out at the community's desk: on the list from Wednesday, 10:00."""
    issue = await world.report(C)
    await world.at("2026-11-25 10:05")
    assert (await issue.case())["supervised"]
    return issue


async def post(world: World, id_: str, act: str, who: str | None, **body: Any) -> httpx2.Response:
    answer = await world.call("POST", f"{PATH}/{id_}/{act}", who, json=body)
    await world.settle()
    return answer


async def line(world: World, who: str = "command") -> dict[str, Any]:
    (item,) = (await world.call("GET", PATH, who)).json()["items"]
    return dict(item)


async def told(world: World, issue: Issue) -> list[str]:
    return sorted(who for reason, who in await issue.told() if reason == "supervision")


# -- notes ------------------------------------------------------------------------------------------------
async def test_what_is_noted_stays_as_a_trail_with_who_and_when(world: World) -> None:
    issue = await listed(world)
    for who, words in (("P001", "打过电话，下午去看"), ("P003", "看过了，要换阀门"), ("command", "盯着")):
        assert (await post(world, issue.id, "notes", who, text=words)).status_code == 200
    shown = (await world.call("GET", f"{PATH}/{issue.id}", "P002")).json()
    assert [(each["by"], each["text"], each["kind"]) for each in shown["trail"]] == [
        ("P001", "打过电话，下午去看", "note"),
        ("P003", "看过了，要换阀门", "note"),
        (None, "盯着", "note"),
    ]
    assert (await line(world))["notes"] == 3
    assert "阀门" not in str(await issue.track())
    assert not await world.rows("SELECT 1 FROM routing.outbox WHERE data::text LIKE '%阀门%'")


async def test_the_list_says_who_has_it_in_charge(world: World) -> None:
    issue = await listed(world)
    found = await line(world)
    assert (found["kind"], found["id"], found["case"], found["why"]) == ("case", issue.id, issue.id, "timeout")
    assert (found["grid"], found["desk"], found["person"]) == (C, "150902", None)


# -- its own clock ----------------------------------------------------------------------------------------
async def test_when_nobody_noted_anything_for_three_working_days_the_district_is_told_again(world: World) -> None:
    issue = await listed(world)
    assert await told(world, issue) == ["P001", "P003", "P004"]
    await world.at("2026-11-30 09:59")  # Monday: not quite three working days
    assert len(await told(world, issue)) == 3
    await world.at("2026-11-30 10:06")
    assert await told(world, issue) == ["P001", "P001", "P003", "P004"]
    await world.at("2026-12-03 10:10")
    assert (await told(world, issue)).count("P001") == 3


async def test_a_note_puts_it_off(world: World) -> None:
    issue = await listed(world)
    await world.at("2026-11-27 10:00")
    assert (await post(world, issue.id, "notes", "P001", text="在办")).status_code == 200
    await world.at("2026-12-02 09:55")
    assert (await told(world, issue)).count("P001") == 1
    await world.at("2026-12-02 10:05")
    assert (await told(world, issue)).count("P001") == 2


async def test_what_has_left_the_list_is_not_told_again(world: World) -> None:
    issue = await listed(world)
    await issue.say("withdraw")
    await world.at("2026-12-10 10:00")
    assert await told(world, issue) == ["P001", "P003", "P004"]
    assert not await world.rows("SELECT 1 FROM routing.supervised")
    assert (await world.call("GET", f"{PATH}/{issue.id}", "command")).status_code == 404


# -- hand-over --------------------------------------------------------------------------------------------
async def test_the_charge_is_handed_to_another_desk_or_one_person_of_it_who_is_told(world: World) -> None:
    issue = await listed(world)
    answer = await post(world, issue.id, "hand-over", "P001", desk="150902-01", text="请街道跟")
    assert answer.status_code == 200, answer.text
    assert (answer.json()["desk"], answer.json()["person"]) == ("150902-01", None)
    assert (await told(world, issue)).count("P002") == 1
    answer = await post(world, issue.id, "hand-over", "P002", desk=C, person="P004", text="李主任跟")
    assert (answer.json()["desk"], answer.json()["person"]) == (C, "P004")
    await world.advance(minutes=2)  # a telephone gets one text a minute
    assert (await told(world, issue)).count("P004") == 2
    assert (await told(world, issue)).count("P003") == 1
    assert [(each["kind"], each["desk"], each["person"]) for each in answer.json()["trail"]] == [
        ("hand-over", "150902-01", None),
        ("hand-over", C, "P004"),
    ]
    # And it is they, and the district's desk, who are told again.
    await world.at("2026-12-01 10:00")
    assert [(await told(world, issue)).count(who) for who in ("P001", "P003", "P004")] == [2, 1, 3]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"desk": "150902-99"}, "desk"),
        ({"desk": "150902-01-02"}, "desk"),  # another place's
        ({"desk": f"{C}-L1"}, "desk"),  # has no desk
        ({"desk": C, "person": "P002"}, "person"),
        ({"desk": C, "person": "P999"}, "person"),
        ({"desk": C, "text": " "}, "text"),
        ({}, "desk"),
    ],
)
async def test_a_bad_hand_over_is_422_and_changes_nothing(world: World, body: dict[str, Any], field: str) -> None:
    issue = await listed(world)
    answer = await post(world, issue.id, "hand-over", "command", **{"text": "请跟", **body})
    assert answer.status_code == 422, answer.text
    assert [error["loc"] for error in answer.json()["errors"]] == [["body", field]]
    assert ((await line(world))["desk"], (await line(world))["notes"]) == ("150902", 0)


# -- the way back -----------------------------------------------------------------------------------------
async def test_the_district_puts_a_case_back_onto_the_ladder_with_a_new_term(world: World) -> None:
    issue = await world.report(U1)
    for who in ("P016", "P014", "P012", "P010"):
        await issue.act("escalate", who, reason="办不了")
    await world.at("2026-11-25 10:05")
    case = await issue.case()
    assert (case["supervised"], case["accept_by"]) == (True, None)
    answer = await post(world, issue.id, "back", "P001", version=case["version"], level="middle", text="小区能办")
    assert answer.status_code == 200, answer.text
    case = await issue.case()
    assert (case["holder"]["id"], case["phase"], case["supervised"]) == ("P012", "assigned", False)
    assert case["accept_by"] is not None
    assert [who for reason, who in await issue.told() if reason == "assigned"][-1] == "P012"
    assert (await world.call("GET", PATH, "command")).json()["items"] == []
    # It climbs as before, and comes onto the list again.
    for when in ("25 18:30", "26 12:00", "27 18:00"):
        await world.at(f"2026-11-{when}")
    assert ((await line(world))["id"], (await line(world))["notes"]) == (issue.id, 1)


async def test_after_the_third_no_it_goes_back_to_its_desk_with_deadlines_and_everybody_s_rights(
    world: World,
) -> None:
    issue = await world.report(U1)
    for who in ("P016", "P014", "P012"):
        await issue.act("accept", who)
        await issue.act("resolve", who, reply="好了")
        await issue.say("answer", solved="no")
    assert ((await issue.case())["accept_by"], (await issue.case("P003"))["can"].count("escalate")) == (None, 0)
    version = (await issue.case())["version"]
    assert (await post(world, issue.id, "back", "command", version=version, text="再试")).status_code == 200
    case = await issue.case("P003")
    assert (case["holder"]["id"], case["supervised"]) == (C, False)
    assert case["accept_by"] is not None
    assert "escalate" in case["can"]


async def test_what_is_held_stays_held_on_its_way_back(world: World) -> None:
    issue = await listed(world)
    await world.sql("UPDATE routing.cases SET on_hold = 'deliberation', topic = uuidv7()")
    version = (await issue.case())["version"]
    assert (await post(world, issue.id, "back", "P001", version=version, text="再试")).status_code == 200
    assert (await issue.case())["on_hold"] == "deliberation"


async def test_a_stale_version_or_a_resolved_case_is_409_and_an_unknown_level_422(world: World) -> None:
    issue = await listed(world)
    version = (await issue.case())["version"]
    stale = await post(world, issue.id, "back", "P001", version=version - 1, text="再试")
    assert (stale.status_code, stale.json()["type"].rpartition(":")[2]) == (409, "already-moved")
    for level in ("micro", "district", "hamlet"):
        bad = await post(world, issue.id, "back", "P001", version=version, level=level, text="再试")
        assert [error["loc"] for error in bad.json()["errors"]] == [["body", "level"]]
    await issue.act("accept", "P003")
    await issue.act("resolve", "P003", reply="好了")
    done = await post(world, issue.id, "back", "P001", version=version + 2, text="再试")
    assert (done.status_code, done.json()["phase"]) == (409, "resolved")


# -- whistles ---------------------------------------------------------------------------------------------
async def test_an_overdue_whistle_has_notes_a_charge_and_the_clock_too_but_its_own_way_on(world: World) -> None:
    issue = await world.report(C)
    body = {"version": 1, "occasion": "emergency", "lead": "WATER", "assisting": [], "text": "请到场"}
    blown = await world.call("POST", f"/api/routing/cases/{issue.id}/whistles", "P003", json=body)
    assert blown.status_code == 201, blown.text
    whistle = blown.json()["id"]
    await world.advance(minutes=61)
    assert (await line(world))["kind"] == "whistle"
    assert (await post(world, whistle, "notes", "P002", text="催过了")).status_code == 200
    assert (await post(world, whistle, "hand-over", "P001", desk="150902-01", text="街道跟")).status_code == 200
    assert (await told(world, issue)).count("P002") == 1
    await world.at("2026-11-30 10:00")
    assert [(await told(world, issue)).count(who) for who in ("P001", "P002")] == [2, 2]
    refused = await post(world, whistle, "back", "P001", version=1, text="再试")
    assert (refused.status_code, refused.json()["can"]) == (409, ["note", "hand-over"])


# -- who may ----------------------------------------------------------------------------------------------
async def test_who_may_note_and_who_may_decide(world: World) -> None:
    issue = await listed(world)
    for who, status in ((None, 401), ("P016", 403), ("admin", 403), ("P006", 404), ("P003", 200)):
        assert (await post(world, issue.id, "notes", who, text="看过")).status_code == status
    for who, status in ((None, 401), ("P010", 403), ("P006", 404), ("P003", 403), ("P002", 403), ("P001", 200)):
        assert (await post(world, issue.id, "hand-over", who, desk=C, text="请跟")).status_code == status
    assert (await post(world, issue.id, "hand-over", "P003", desk="150902", text="请区里跟")).status_code == 200
    assert (await post(world, NOTHING, "notes", "command", text="看过")).status_code == 404
    assert (await world.call("GET", f"{PATH}/{issue.id}", "P003")).json()["can"] == ["note"]
    assert (await world.call("GET", f"{PATH}/{issue.id}", "P001")).json()["can"] == ["note", "hand-over", "back"]
