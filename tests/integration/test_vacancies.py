"""The list of vacancies: where nobody is, whom nothing reaches, who has too much in hand; by HTTP and by the doctor."""

from typing import Any

import pytest

from chuishao.checks import examine
from tests.world import U2, U3, C, World

PATH = "/api/directory/vacancies"


async def found(world: World, who: str, query: str = "") -> list[tuple[Any, ...]]:
    answer = await world.call("GET", f"{PATH}?limit=200{query}", who)
    assert answer.status_code == 200, answer.text
    return [(i["kind"], i["grid"], i["person"], i["cases"]) for i in answer.json()["items"]]


async def test_it_lists_grids_where_nobody_is_and_people_whom_no_channel_reaches(world: World) -> None:
    listed = await found(world, "command")
    assert set(listed) == {
        ("vacant", U3, None, None),
        ("vacant", f"{C}-L1-M2", None, None),
        ("unreachable", f"{C}-L1-M1-S2-U2", "P021", None),
    }
    counts = (await world.call("GET", PATH, "admin")).json()["counts"]
    assert counts == {"vacant": 2, "unreachable": 1, "overloaded": 0}


async def test_a_desk_sees_what_lies_below_it_and_a_grid_narrows_it(world: World) -> None:
    assert len(await found(world, "P003")) == len(await found(world, "P001")) == 3
    assert await found(world, "P006") == []  # the village's
    assert await found(world, "command", f"&grid={C}-L1-M2") == [("vacant", f"{C}-L1-M2", None, None)]
    assert await found(world, "command", "&kind=unreachable") == [("unreachable", f"{C}-L1-M1-S2-U2", "P021", None)]


async def test_it_goes_on_where_the_last_page_ended(world: World) -> None:
    seen: list[str] = []
    query = "?limit=1"
    while query:
        body = (await world.call("GET", f"{PATH}{query}", "command")).json()
        seen += [item["grid"] for item in body["items"]]
        query = f"?limit=1&cursor={body['next']}" if body["next"] else ""
    assert len(seen) == len(set(seen)) == 3


@pytest.mark.parametrize(
    ("query", "field"), [("grid=150902-99", "grid"), ("kind=lazy", "kind"), ("cursor=WyI5IiwiMSIsIjIiXQ", "cursor")]
)
async def test_an_unknown_value_of_a_filter_is_422(world: World, query: str, field: str) -> None:
    answer = await world.call("GET", f"{PATH}?{query}", "command")
    assert [error["loc"] for error in answer.json()["errors"]] == [["query", field]]


async def test_more_open_cases_than_the_policy_s_measure_in_one_person_s_hands_are_too_many(world: World) -> None:
    await world.reset()
    for _ in range(20):
        await world.report(U2)
    assert await found(world, "P003", "&kind=overloaded") == []
    one = await world.report(U2)
    assert await found(world, "P003", "&kind=overloaded") == [("overloaded", U2, "P018", 21)]
    findings = {finding.check: finding for finding in await examine(world.target)}
    assert (findings["load"].state, "P018（21）" in findings["load"].text) == ("warn", True)
    assert U3 in findings["vacancies"].text
    assert "P021" in findings["channels"].text
    await one.say("withdraw")
    assert await found(world, "P003", "&kind=overloaded") == []
