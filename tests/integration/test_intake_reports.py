"""Taking reports: who may, what is refused, once and only once."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from tests.world import U1, U2, C, Issue, World

PHONE = "13912340001"
WORDS = "二楼的灯坏了"
SETTLED = {"category": "FAC.light", "text": WORDS, "place": {"grid": U1}, "phone": PHONE}


async def report(world: World, who: str | None = None, key: str | None = None, **change: Any) -> httpx2.Response:
    body = {name: value for name, value in {**SETTLED, **change}.items() if value is not None}
    return await world.call("POST", "/api/intake/issues", who, key=key, json=body)


def refused_fields(answer: httpx2.Response) -> list[str]:
    return sorted(".".join(str(part) for part in error["loc"]) for error in answer.json()["errors"])


async def stored(world: World) -> int:
    return int(await world.scalar("SELECT count(*) FROM intake.issue"))


async def test_anybody_with_a_phone_gets_a_number_and_a_code(world: World) -> None:
    answer = await report(world)
    assert answer.status_code == 201
    assert len(answer.json()["track"]) == 10
    day, _, number = answer.json()["number"].partition("-")
    assert (len(day), len(number)) == (6, 5)


async def test_the_event_holds_ids_and_codes_only(world: World) -> None:
    issue = (await report(world, category="HEAT.outage", text="整栋楼冰凉")).json()["id"]
    (row,) = await world.rows("SELECT type, seq, data FROM intake.outbox WHERE subject = :id", id=issue)
    assert (row["type"], row["seq"]) == ("cn.chuishao.intake.issue.reported.v1", 1)
    assert (row["data"]["urgency"], row["data"]["start"], row["data"]["mergeable"]) == ("urgent", "middle", True)
    assert "冰凉" not in str(row["data"])
    assert PHONE not in str(row["data"])


async def test_the_phone_lies_nowhere_in_the_clear_and_one_phone_is_one_person(world: World) -> None:
    first, second = (await report(world)).json()["id"], (await report(world, phone=f"+86 {PHONE}")).json()["id"]
    rows = await world.rows("SELECT reporter FROM intake.issue WHERE id IN (:a, :b)", a=first, b=second)
    assert len({row["reporter"] for row in rows}) == 1
    assert await world.scalar("SELECT count(*) FROM intake.issue i WHERE i::text LIKE '%12340001%'") == 0


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"category": "XXX.none"}, ["body.category"]),
        ({"text": " \n"}, ["body.text"]),
        ({"text": "字" * 4001}, ["body.text"]),
        ({"text": "a\u0000b"}, ["body.text"]),
        ({"text": "a\u0007b"}, ["body.text"]),
        ({"place": {"grid": "no-such-grid"}}, ["body.place.grid"]),
        ({"place": {"grid": "a\u0000"}}, ["body.place.grid"]),
        ({"place": {}}, ["body.place"]),
        ({"place": {"lng": 113.1}}, ["body.place"]),
        ({"place": {"grid": U1, "address": "和平路"}}, ["body.place"]),
        ({"place": {"lng": 999.0, "lat": 41.0}}, ["body.place.lng"]),
        ({"phone": "12345"}, ["body.phone"]),
        ({"phone": 13912340001}, ["body.phone"]),
        ({"phone": None}, ["body.phone"]),
        ({"may_contact": "yes"}, ["body.may_contact"]),
        ({"attachments": [str(uuid4())]}, ["body.attachments.0"]),
        ({"colour": "red"}, ["body.colour"]),
        ({"category": "X", "text": "", "phone": "1"}, ["body.category", "body.phone", "body.text"]),
    ],
)
async def test_each_bad_field_is_named_and_nothing_is_stored(
    world: World, change: dict[str, Any], fields: list[str]
) -> None:
    before = await stored(world)
    body = {name: value for name, value in {**SETTLED, **change}.items() if value is not None}
    answer = await world.http.post("/api/intake/issues", json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert refused_fields(answer) == fields
    assert await stored(world) == before


async def test_what_is_no_json_is_422_and_what_is_too_large_413(world: World) -> None:
    assert (await world.http.post("/api/intake/issues", content=b"{no")).status_code == 422
    assert (await world.http.post("/api/intake/issues", content=b"x" * 300_000)).status_code == 413


async def test_a_lone_surrogate_is_refused(world: World) -> None:
    content = b'{"category":"FAC.light","text":"a\\ud800","place":{"grid":"x"},"phone":"13912340001"}'
    answer = await world.http.post("/api/intake/issues", content=content)
    assert answer.status_code == 422


async def test_a_void_grid_is_refused_like_an_unknown_one(world: World) -> None:
    await world.sql("UPDATE directory.grid SET void_at = clock_now() WHERE code = :c", c=f"{C}-L2-M1-S1-U1")
    answer = await report(world, place={"grid": f"{C}-L2-M1-S1-U1"})
    await world.sql("UPDATE directory.grid SET void_at = NULL WHERE code = :c", c=f"{C}-L2-M1-S1-U1")
    assert refused_fields(answer) == ["body.place.grid"]


async def test_case_15_one_key_fifty_times_at_once_is_one_issue(world: World) -> None:
    before = await stored(world)
    answers = await asyncio.gather(*(report(world, key="fifty", text="同一句话") for _ in range(50)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert await stored(world) == before + 1


async def test_case_15_one_key_twice_is_one_case_told_once(world: World) -> None:
    first = await report(world, key="later", text="一句话说两遍")
    await world.advance(hours=1)
    again = await report(world, key="later", text="一句话说两遍")
    await world.settle()
    assert (again.status_code, again.json()) == (201, first.json())
    issue = Issue(world, **first.json())
    assert await world.scalar("SELECT count(*) FROM routing.cases WHERE number = :n", n=issue.number) == 1
    told = [message["reason"] for message in await world.messages(issue)]
    assert (told.count("received"), told.count("assigned")) == (1, 1)


async def test_case_15_the_same_words_from_another_grid_are_two_cases_each_with_its_holder(world: World) -> None:
    words = "下水道又堵了"
    first = await report(world, category="ENV.tree", text=words)
    second = await report(world, category="ENV.tree", text=words, place={"grid": U2}, phone="13912340010")
    await world.settle()
    holders = [await Issue(world, **answer.json()).holder() for answer in (first, second)]
    assert holders == ["P016", "P018"]
    assert first.json()["number"] in second.json()["duplicates"]


async def test_case_15_one_key_with_another_body_is_refused(world: World) -> None:
    assert (await report(world, key="twice")).status_code == 201
    answer = await report(world, key="twice", text="另一句话")
    assert answer.status_code == 422
    assert refused_fields(answer) == ["header.Idempotency-Key"]


async def test_a_key_belongs_to_its_caller(world: World) -> None:
    mine = (await report(world, key="shared")).json()["id"]
    theirs = (await report(world, key="shared", phone="13912340002")).json()["id"]
    assert mine != theirs


async def test_case_15_the_same_words_from_another_grid_are_two_issues_offered_as_duplicates(world: World) -> None:
    words = "垃圾三天没收了"
    first = (await report(world, category="HYG.garbage", text=words)).json()
    second = (await report(world, category="HYG.garbage", text=words, place={"grid": U2}, phone="13912340009")).json()
    assert first["id"] != second["id"]
    assert second["duplicates"] == [first["number"]]


async def test_what_was_reported_more_than_a_day_ago_is_no_duplicate(world: World) -> None:
    await report(world, category="ENV.tree", text="树倒了")
    await world.advance(hours=25)
    assert "duplicates" not in (await report(world, category="ENV.tree", text="树倒了")).json()


async def test_own_finds_are_for_people_with_a_post_on_the_way_up(world: World) -> None:
    assert (await report(world, own=True)).status_code == 401
    assert (await report(world, "13912340003", own=True)).status_code == 403
    assert (await report(world, "P026", own=True)).status_code == 403
    assert (await report(world, "P016", own=True)).status_code == 201
    assert (await report(world, "P016", own=True, place={"address": "和平路"})).status_code == 403


async def test_reporting_for_a_resident_is_for_people_with_a_post(world: World) -> None:
    resident = {"phone": "13912340004"}
    assert (await report(world, on_behalf_of=resident)).status_code == 401
    assert (await report(world, "13912340003", on_behalf_of=resident)).status_code == 403
    issue = (await report(world, "P016", on_behalf_of=resident)).json()["id"]
    (row,) = await world.rows("SELECT reporter, entered_by FROM intake.issue WHERE id = :id", id=issue)
    assert row["reporter"] == await world.resident("13912340004")
    assert row["entered_by"] == await world.person("P016")


async def test_a_token_that_is_none_of_ours_is_refused_though_none_is_needed(world: World) -> None:
    answer = await world.http.post("/api/intake/issues", json=SETTLED, headers={"Authorization": "Bearer x"})
    assert answer.status_code == 401


async def test_the_categories_are_told_with_urgency_and_start(world: World) -> None:
    classes = (await world.http.get("/api/intake/categories")).json()["items"]
    items = {item["code"]: item for each in classes for item in each["items"]}
    assert (items["HEAT.outage"]["urgency"], items["HEAT.outage"]["start"]) == ("urgent", "middle")


async def test_case_31_hints_are_given_before_submit_and_nothing_is_stored(world: World) -> None:
    before = await stored(world)
    answer = await world.http.post("/api/intake/hints", json={"text": "我叫王小明，住502室，电话13912345678"})
    assert [hint["kind"] for hint in answer.json()["hints"]] == ["name", "door", "phone"]
    assert await stored(world) == before


async def test_reports_of_the_same_moment_are_answered_each_for_itself(world: World) -> None:
    before = await stored(world)
    good = [report(world, phone=f"139123401{n:02}", key="mine", text=f"第 {n} 盏灯") for n in range(20)]
    bad = [report(world, place={"grid": "no-such-grid"}), report(world, "13912340003", own=True)]
    twice = [report(world, phone="13912340200", key="one", text=text) for text in ("甲", "乙")]
    answers = await asyncio.gather(*good, *bad, *twice)
    assert [answer.status_code for answer in answers[:22]] == [201] * 20 + [422, 403]
    assert sorted(answer.status_code for answer in answers[22:]) == [201, 422]
    assert len({answer.json()["number"] for answer in answers[:20]}) == 20
    assert await stored(world) == before + 21


async def test_one_new_phone_many_times_at_once_is_one_person(world: World) -> None:
    answers = await asyncio.gather(*(report(world, phone="13912340300", text=f"灯 {n}") for n in range(20)))
    ids = [answer.json()["id"] for answer in answers]
    rows = await world.rows("SELECT DISTINCT reporter FROM intake.issue WHERE id = ANY(:ids)", ids=ids)
    assert len(rows) == 1
