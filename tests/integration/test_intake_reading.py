"""Who reads the words, who learns of the reporter, and placing what fitted no grid."""

from typing import Any

import pytest

from tests.world import U1, C, Issue, World

PHONE = "13912350001"
PLACEABLE = {"address": "和平路尽头的小卖部旁边"}


async def told(world: World, who: str | None = None, **change: Any) -> Issue:
    body = {"category": "FAC.light", "text": "灯坏了", "place": {"grid": U1}, "phone": PHONE, **change}
    answer = await world.call("POST", "/api/intake/issues", who, json=body)
    assert answer.status_code == 201, answer.text
    return Issue(world, **answer.json())


async def status(issue: Issue, who: str | None, query: str = "") -> int:
    answer = await issue.world.call("GET", f"/api/intake/issues/{issue.id}{query}", who)
    return answer.status_code


async def seen(issue: Issue, who: str | None, query: str = "") -> dict[str, Any]:
    answer = await issue.world.call("GET", f"/api/intake/issues/{issue.id}{query}", who)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        (PHONE, 200),
        ("P016", 200),
        ("P017", 200),
        ("P010", 200),
        ("P003", 200),
        ("P002", 200),
        ("P001", 200),
        ("P046", 200),
        ("command", 200),
        ("admin", 200),
        ("P018", 404),
        ("P026", 404),
        ("P006", 404),
        ("13912350099", 404),
        ("department:WATER", 404),
        ("arbiter", 404),
        ("auditor", 403),
        (None, 401),
    ],
)
async def test_the_words_are_for_the_reporter_and_those_on_the_way_up(
    world: World, who: str | None, expected: int
) -> None:
    assert await status(await told(world), who) == expected


async def test_a_code_opens_the_issue_and_a_wrong_one_is_not_found(world: World) -> None:
    issue = await told(world)
    words = await seen(issue, None, f"?code={issue.code}")
    assert (words["text"], words["place"]["grid"], words["reporter"]) == ("灯坏了", U1, None)
    assert await status(issue, None, "?code=AAAAAAAAAA") == 404


async def test_about_leader_hides_it_from_whoever_has_a_post_at_the_place_itself(world: World) -> None:
    issue = await told(world, about_leader=True)
    assert await status(issue, "P016") == 404
    assert await status(issue, "P017") == 404
    assert await status(issue, "P014") == 200
    assert (await world.call("GET", f"/api/intake/issues?ids={issue.id}", "P016")).json()["items"] == []


async def test_a_leader_sees_the_phone_only_where_the_reporter_allowed_it_and_it_is_logged(world: World) -> None:
    assert (await seen(await told(world), "P016"))["reporter"] is None
    opened = "SELECT count(*) FROM vault.opening WHERE purpose = 'intake.may_contact'"
    before = await world.scalar(opened)
    issue = await told(world, may_contact=True)
    assert (await seen(issue, "P016"))["reporter"] == {"phone": f"+86{PHONE}"}
    assert await world.scalar(opened) == before + 1


async def test_the_reporter_sees_her_own_id(world: World) -> None:
    assert (await seen(await told(world), PHONE))["reporter"] == {"id": str(await world.resident(PHONE))}
    own = await told(world, "P016", own=True)
    assert (await seen(own, "P016"))["reporter"] == {"id": "P016"}


async def test_a_stand_in_reads_while_the_leader_is_away(world: World) -> None:
    issue = await told(world)
    assert await status(issue, "P026") == 404
    away = {"from": "2026-11-01T00:00:00+08:00", "to": "2036-12-01T00:00:00+08:00", "stand_in": "P026"}
    answer = await world.call("PUT", "/api/directory/people/P016/absence", "P016", json=away)
    assert answer.status_code == 200, answer.text
    assert await status(issue, "P026") == 200
    await world.call("DELETE", "/api/directory/people/P016/absence", "P016")
    assert await status(issue, "P026") == 404


async def test_mine_is_paged_oldest_first(world: World) -> None:
    phone = "13912350002"
    numbers = [(await told(world, phone=phone)).number for _ in range(3)]
    first = (await world.call("GET", "/api/intake/issues?mine=true&limit=2", phone)).json()
    rest = (await world.call("GET", f"/api/intake/issues?mine=true&limit=2&cursor={first['next']}", phone)).json()
    assert [item["number"] for item in first["items"] + rest["items"]] == numbers
    assert rest["next"] is None


@pytest.mark.parametrize(
    "query", ["", "?ids=nonsense", "?ids=" + ",".join([str(n) for n in range(101)]), "?mine=1&cursor=x"]
)
async def test_a_list_that_says_nothing_sensible_is_refused(world: World, query: str) -> None:
    assert (await world.call("GET", f"/api/intake/issues{query}", "P016")).status_code == 422


async def test_an_address_waits_for_the_district_desk_and_is_placed_once(world: World) -> None:
    issue = await told(world, place=PLACEABLE)
    assert (await seen(issue, "P001"))["place"] is None
    assert (await seen(issue, "P001"))["told"] == PLACEABLE
    assert await status(issue, "P003") == 404
    waiting = (await world.call("GET", "/api/intake/issues?unplaced=true", "P001")).json()["items"]
    assert issue.id in [item["id"] for item in waiting]
    await world.settle()
    path = f"/api/intake/issues/{issue.id}/place"
    placed = await world.call("PUT", path, "P001", json={"grid": U1})
    assert (placed.status_code, placed.json()["place"]["grid"]) == (200, U1)
    assert await status(issue, "P016") == 200
    again = await world.call("PUT", path, "P001", json={"grid": U1})
    assert (again.status_code, again.json()["phase"], again.json()["can"]) == (409, "placed", [])
    rows = await world.rows("SELECT type, seq FROM intake.outbox WHERE subject = :id ORDER BY seq", id=issue.id)
    assert [(row["type"], row["seq"]) for row in rows][1:] == [("cn.chuishao.intake.issue.placed.v1", 2)]


@pytest.mark.parametrize(
    ("who", "grid", "expected"),
    [
        (None, U1, 401),
        ("P016", U1, 404),
        (PHONE, U1, 403),
        ("P006", U1, 404),
        ("P001", "nowhere", 422),
        ("P003", U1, 200),
        ("command", U1, 200),
    ],
)
async def test_placing_is_for_the_district_desk_a_desk_above_the_grid_and_command(
    world: World, who: str | None, grid: str, expected: int
) -> None:
    issue = await told(world, place={"lng": 116.4, "lat": 39.9})
    answer = await world.call("PUT", f"/api/intake/issues/{issue.id}/place", who, json={"grid": grid})
    assert answer.status_code == expected, answer.text


async def test_whoever_may_not_place_is_told_so_before_the_body_is_looked_at(world: World) -> None:
    issue = await told(world, place=PLACEABLE)
    answer = await world.call("PUT", f"/api/intake/issues/{issue.id}/place", PHONE, json={"grid": 7})
    assert answer.status_code == 403


async def test_an_issue_at_a_village_is_read_by_its_desk(world: World) -> None:
    issue = await told(world, place={"grid": f"{C[:-1]}2"})
    assert await status(issue, "P006") == 200
