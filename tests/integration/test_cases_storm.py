"""Many like reports at once are one case: one message a leader, one climb, every reporter answered. The same thing at
the same place again and again starts one level higher."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from tests.integration.test_cases_acts import kinds
from tests.world import U1, U2, U3, C, Issue, World

M1 = f"{C}-L1-M1"
S1, S2U1 = f"{M1}-S1", f"{M1}-S2-U1"
REPORTS = 2000


@pytest.fixture(autouse=True)
async def morning(world: World) -> None:
    await world.reset()


async def tell(world: World, place: str, phone: int, category: str = "HEAT.outage", **more: Any) -> Issue:
    """A report by somebody else each time, without waiting for what comes of it."""
    body = {"category": category, "text": "整楼不热", "place": {"grid": place}, "phone": f"136{phone:08}", **more}
    answer = await world.call("POST", "/api/intake/issues", json=body)
    assert answer.status_code == 201, answer.text
    return Issue(world, **answer.json())


async def tell_all(world: World, places: list[str], category: str = "HEAT.outage", first: int = 0) -> list[Issue]:
    """One after another, each settled before the next comes."""
    told = []
    for n, place in enumerate(places):
        told.append(await tell(world, place, first + n, category))
        await world.settle()
    return told


async def assigned(issues: list[Issue]) -> Counter[str]:
    """Who was told how often that something is his to accept."""
    told = [await issue.told() for issue in issues]
    return Counter(who for each in told for reason, who in each if reason == "assigned")


async def how(issues: list[Issue]) -> list[str | None]:
    return [(await issue.case())["closed_how"] for issue in issues]


async def test_two_thousand_reports_of_one_outage_are_one_case_with_one_message_a_leader(world: World) -> None:
    """Through intake's and routing's own ways, within a minute; every reporter is answered."""
    places = [U1, U2, U3, S2U1, S1]
    gate = asyncio.Semaphore(32)

    async def one(n: int) -> Issue:
        async with gate:
            return await tell(world, places[n % len(places)], n)

    await asyncio.gather(*(one(n) for n in range(REPORTS)))
    await world.settle()
    for _ in range(3):  # a busy machine: what was not answered in time is asked about and told again
        await world.advance(seconds=30)
    cases = await world.rows("SELECT phase, closed_how, merged_into, place FROM routing.cases")
    assert Counter((c["phase"], c["closed_how"]) for c in cases) == {
        ("assigned", None): 1,
        ("closed", "merged"): REPORTS - 1,
    }
    assert len({c["merged_into"] for c in cases if c["merged_into"]}) == 1
    assert len(await world.rows("SELECT hop FROM routing.hops WHERE until IS NULL")) == 1
    told = await world.rows(
        "SELECT reason, count(*) AS messages, count(DISTINCT person) AS people FROM notify.message"
        " WHERE state IN ('sent', 'delivered') GROUP BY reason"
    )
    assert {row["reason"]: (row["messages"], row["people"]) for row in told} == {
        "assigned": (1, 1),
        "received": (REPORTS, REPORTS),
    }


async def test_the_fifth_report_folds_and_those_after_it_never_come_to_a_leader(world: World) -> None:
    issues = await tell_all(world, [U1, U2, U1, U3])
    assert await how(issues) == [None] * 4
    issues += await tell_all(world, [S2U1, U2], first=4)
    assert await how(issues) == [None] + ["merged"] * 5
    lead = await issues[0].case()
    assert (lead["holder"]["id"], lead["followers"]) == ("P012", 5)
    assert [len((await issue.case())["hops"]) for issue in issues] == [1, 1, 1, 1, 0, 0]
    await world.advance(seconds=10)
    assert await assigned(issues) == {"P012": 1}
    assert all([("received", "resident") in await issue.told() for issue in issues])
    assert (await issues[5].track())["holder"]["label"] == "和平小区 小区长"
    assert await kinds(issues[5]) == ["closed"]


async def test_leaders_below_get_one_message_each_and_the_case_moves_to_where_all_of_it_is(world: World) -> None:
    """Of an item that starts with the unit's leader."""
    issues = await tell_all(world, [U1, U2, U1, U2, U1], "HEAT.cold")
    lead = await issues[0].case()
    assert (lead["holder"]["id"], lead["place"]["grid"]) == ("P014", S1)
    await world.advance(seconds=10)
    assert await assigned(issues) == {"P016": 1, "P018": 1, "P014": 1}
    (far,) = await tell_all(world, [S2U1], "HEAT.cold", first=9)
    assert ((await far.case())["closed_how"], (await issues[0].case())["holder"]["id"]) == ("merged", "P012")


async def test_a_second_message_of_the_same_item_goes_after_some_seconds_if_nothing_folds(world: World) -> None:
    issues = await tell_all(world, [U1, U1])
    assert [("assigned", "P012") in await issue.told() for issue in issues] == [True, False]
    await world.advance(seconds=6)
    assert ("assigned", "P012") in await issues[1].told()


async def test_what_is_no_storm_does_not_fold(world: World) -> None:
    """Too few in the time, another compound, another item, an item that is not one for many."""
    issues = await tell_all(world, [U1, U2, U1, U2])
    await world.advance(minutes=11)
    issues += await tell_all(world, [U3, f"{C}-L2-M1-S1-U1"], first=4)
    issues += await tell_all(world, [U1], "ELE.outage", first=6)
    issues += await tell_all(world, [U1] * 5, "FAC.light", first=7)
    assert await how(issues) == [None] * 12


async def test_what_somebody_has_accepted_is_left_to_him(world: World) -> None:
    issues = await tell_all(world, [U1, U2], "HEAT.cold")
    await issues[1].act("accept", "P018")
    issues += await tell_all(world, [U1, U3, U1], "HEAT.cold", first=2)
    assert await how(issues) == [None, None, "merged", "merged", "merged"]
    assert (await issues[1].case())["holder"]["id"] == "P018"


async def test_complaints_about_a_leader_and_emergencies_never_fold(world: World) -> None:
    complaints = [await tell(world, U1, n, about_leader=True) for n in range(6)]
    alarms = [await tell(world, U1, 10 + n, "SAF.gas") for n in range(6)]
    await world.settle()
    assert await how([*complaints, *alarms]) == [None] * 12


async def test_once_its_case_is_over_a_storm_is_over(world: World) -> None:
    issues = await tell_all(world, [U1] * 5)
    await issues[0].act("accept", "P012")
    await issues[0].act("resolve", "P012", reply="来暖气了")
    (later,) = await tell_all(world, [U1], first=5)
    assert (await later.case())["closed_how"] is None
    await world.advance(minutes=6)
    assert ("resolved", "resident") in await issues[3].told()


# -- again and again --------------------------------------------------------------------------------------------
async def handled(world: World, place: str = U1) -> Issue:
    issue = await world.report(place)
    who = str((await issue.case())["holder"]["id"])
    await issue.act("accept", who)
    await issue.act("resolve", who, reply="换好了")
    await issue.say("answer", solved="yes")
    return issue


async def test_the_third_time_at_one_place_starts_one_level_higher_with_the_earlier_ones_attached(world: World) -> None:
    first, second = await handled(world), await handled(world)
    await world.report(U1, "ENV.tree")  # another item, and another place, are no repetition
    elsewhere = await world.report(U2)
    third = await world.report(U1)
    case = await third.case()
    assert (case["holder"]["id"], case["previous"]) == ("P014", [first.id, second.id])
    assert (await elsewhere.case())["previous"] == []
    assert await elsewhere.holder() == "P018"


async def test_what_is_older_than_ninety_days_or_was_withdrawn_is_no_repetition(world: World) -> None:
    await handled(world)
    await world.advance(days=91)
    await handled(world)
    await (await world.report(U1)).say("withdraw")
    assert await (await world.report(U1)).holder() == "P016"
