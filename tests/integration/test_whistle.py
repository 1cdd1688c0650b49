"""The whistle 吹哨报到: every act, its clocks, and case 33."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.world import U1, U2, C, Issue, World

DESK = "P003"


@pytest.fixture(autouse=True)
async def morning(world: World) -> None:
    await world.reset()  # a Tuesday, 10:00


class Whistle:
    def __init__(self, world: World, id: str) -> None:
        self.world, self.id = world, id

    async def get(self, who: str = "command") -> dict[str, Any]:
        answer = await self.world.call("GET", f"/api/routing/whistles/{self.id}", who)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def try_act(self, act: str, who: str, **body: Any) -> Any:
        body.setdefault("version", (await self.get())["version"])
        return await self.world.call("POST", f"/api/routing/whistles/{self.id}/{act}", who, json=body)

    async def act(self, act: str, who: str, **body: Any) -> dict[str, Any]:
        answer = await self.try_act(act, who, **body)
        assert answer.status_code == 200, answer.text
        await self.world.settle()
        return dict(answer.json())

    async def report_in(self, who: str = "P030") -> dict[str, Any]:
        at = (await self.world.now()).isoformat()
        return await self.act("report-in", who, person=who, at=at)


async def try_blow(issue: Issue, who: str = DESK, **more: Any) -> Any:
    body = {
        "version": (await issue.case())["version"],
        "occasion": "demand",
        "lead": "WATER",
        "assisting": ["CITY"],
        "text": "单元漏水，请到场看一看",
        **more,
    }
    return await issue.world.call("POST", f"/api/routing/cases/{issue.id}/whistles", who, json=body)


async def blow(issue: Issue, who: str = DESK, **more: Any) -> Whistle:
    answer = await try_blow(issue, who, **more)
    assert answer.status_code == 201, answer.text
    await issue.world.settle()
    return Whistle(issue.world, answer.json()["id"])


def left(value: dict[str, Any], which: str) -> timedelta:
    return datetime.fromisoformat(value[which]) - datetime.fromisoformat(value["now"])


async def test_whoever_blows_takes_the_case_and_its_clock_stops(world: World) -> None:
    issue = await world.report(U1)
    promised = (await issue.case())["promised_by"]
    whistle = await blow(issue)
    case = await issue.case()
    assert (case["holder"]["id"], case["phase"], case["on_hold"]) == (C, "accepted", "whistle")
    assert (case["hops"][0]["ended_by"], case["accept_by"], case["resolve_by"]) == ("taken", None, None)
    assert (case["promised_by"], case["whistles"]) == (promised, [whistle.id])
    found = await whistle.get()
    assert (found["state"], found["lead"], found["assisting"], found["result_by"]) == ("blown", "WATER", ["CITY"], None)


async def test_a_desk_that_holds_the_case_takes_it_too(world: World) -> None:
    issue = await world.report("150902-01-02")
    await blow(issue, "P006")
    case = await issue.case()
    assert [hop["ended_by"] for hop in case["hops"]] == ["taken", None]


@pytest.mark.parametrize(
    ("occasion", "report_in", "result"),
    [
        ("emergency", timedelta(minutes=30), timedelta(hours=24)),
        ("enforcement", timedelta(hours=24), timedelta(days=7)),
        ("demand", timedelta(days=2), timedelta(days=7)),
        ("key_work", timedelta(days=3), timedelta(days=21)),
    ],
)
async def test_the_four_occasions_have_their_clocks(
    world: World, occasion: str, report_in: timedelta, result: timedelta
) -> None:
    whistle = await blow(await world.report(U1), occasion=occasion)
    found = await whistle.get()
    assert abs(left(found, "report_in_by") - report_in) < timedelta(seconds=10)
    found = await whistle.report_in()
    assert abs(left(found, "result_by") - result) < timedelta(seconds=10)


async def test_the_whole_way_to_a_confirmed_result_gives_the_case_back_its_clock(world: World) -> None:
    issue = await world.report(U1)
    whistle = await blow(issue)
    assert (await whistle.act("acknowledge", "P030"))["state"] == "acknowledged"
    assert (await whistle.report_in("P031"))["state"] == "reported_in"
    assert (await whistle.act("result", "P030", text="换了一段管"))["state"] == "result"
    await world.advance(hours=5)
    assert (await whistle.act("confirm", DESK))["state"] == "confirmed"
    case = await issue.case()
    assert (case["on_hold"], case["phase"], case["holder"]["id"]) == (None, "accepted", C)
    assert left(case, "resolve_by") > timedelta(days=2, hours=23)  # three working days, as when it was taken
    await issue.act("resolve", DESK, reply="水管换好了")
    assert (await issue.say("answer", solved="yes"))["phase"] == "closed"


async def test_the_whistler_has_at_least_four_hours_left_afterwards(world: World) -> None:
    issue = await world.report(U1)
    whistle = await blow(issue)
    await world.sql("UPDATE routing.cases SET resolve_left = 1000000")
    await whistle.report_in()
    await whistle.act("result", "P030", text="好了")
    await whistle.act("confirm", DESK)
    assert left(await issue.case(), "resolve_by") > timedelta(hours=3, minutes=59)


async def test_reporting_in_is_a_statement_and_implies_acknowledgement(world: World) -> None:
    whistle = await blow(await world.report(U1))
    found = await whistle.report_in()
    assert (found["state"], found["reported_in"]["person"]) == ("reported_in", "P030")


async def test_a_report_in_before_it_was_blown_or_in_the_future_is_refused_by_name(world: World) -> None:
    whistle = await blow(await world.report(U1))
    before = await whistle.get()
    now = await world.now()
    for at in (now - timedelta(hours=1), now + timedelta(hours=1)):
        refused = await whistle.try_act("report-in", "P030", person="P030", at=at.isoformat())
        assert (refused.status_code, refused.json()["errors"][0]["loc"]) == (422, ["body", "at"])
    after = await whistle.get()
    assert (after["version"], after["state"]) == (before["version"], "blown")


async def test_a_result_may_be_returned_twice_with_a_new_term_each_time(world: World) -> None:
    whistle = await blow(await world.report(U1))
    await whistle.report_in()
    for _ in range(2):
        await world.advance(days=1)
        await whistle.act("result", "P030", text="好了")
        found = await whistle.act("return", DESK, reason="还在漏")
        assert (found["state"], left(found, "result_by") > timedelta(days=4)) == ("reported_in", True)
    await whistle.act("result", "P030", text="真好了")
    refused = await whistle.try_act("return", DESK, reason="还在漏")
    assert (refused.status_code, refused.json()["can"]) == (409, ["confirm", "withdraw"]) or refused.json()["can"] == []
    assert (await whistle.get(DESK))["can"] == ["confirm", "withdraw"]


async def test_withdrawing_it_releases_the_case(world: World) -> None:
    issue = await world.report(U1)
    whistle = await blow(issue)
    await whistle.act("withdraw", DESK, reason="居民自己修好了")
    assert (await issue.case())["on_hold"] is None


async def test_a_missed_report_in_is_yellow_then_red_then_on_the_supervision_list(world: World) -> None:
    whistle = await blow(await world.report(U1), occasion="emergency")
    await world.advance(minutes=29)
    assert (await whistle.get())["flags"]["overdue"] is None
    for minutes, colour in ((2, "yellow"), (15, "red"), (15, "supervision")):
        await world.advance(minutes=minutes)
        assert (await whistle.get())["flags"]["overdue"] == colour
    rows = (await world.call("GET", "/api/routing/supervision", DESK)).json()["items"]
    assert [(row["kind"], row["why"]) for row in rows if row["id"] == whistle.id] == [("whistle", "report_in")]
    await whistle.report_in()
    assert (await whistle.get())["flags"]["overdue"] is None


async def test_a_result_nobody_confirms_within_two_working_days_is_supervised(world: World) -> None:
    whistle = await blow(await world.report(U1))
    await whistle.report_in()
    await whistle.act("result", "P030", text="好了")
    await world.advance(days=2, minutes=1)
    rows = (await world.call("GET", "/api/routing/supervision", "P001")).json()["items"]
    assert [row["why"] for row in rows if row["id"] == whistle.id] == ["unconfirmed"]


async def test_a_dispute_is_decided_by_the_arbiter_and_a_new_lead_gets_fresh_clocks(world: World) -> None:
    whistle = await blow(await world.report(U1))
    found = await whistle.act("dispute", "P030", reason="是二次供水，归物业主管")
    assert (found["flags"]["disputed"], left(found, "decide_by") <= timedelta(days=1)) == (True, True)
    assert (await whistle.try_act("decide", DESK, outcome="upheld")).status_code == 403
    await world.advance(hours=20)
    found = await whistle.act("decide", "arbiter", outcome="reassign", lead="HOUSING")
    assert (found["lead"], found["flags"]["disputed"], found["state"]) == ("HOUSING", False, "blown")
    assert left(found, "report_in_by") > timedelta(days=1, hours=23)
    assert (await whistle.get("P033"))["can"] == ["acknowledge", "report-in", "dispute"]
    assert (await world.call("GET", f"/api/routing/whistles/{whistle.id}", "P031")).status_code == 404


async def test_an_upheld_dispute_may_not_be_raised_again(world: World) -> None:
    whistle = await blow(await world.report(U1))
    await whistle.act("dispute", "P030", reason="不归我们")
    found = await whistle.act("decide", "arbiter", outcome="upheld")
    assert found["flags"]["disputed"] is False
    assert (await whistle.try_act("dispute", "P030", reason="真不归我们")).status_code == 409


async def test_there_is_no_third_transfer(world: World) -> None:
    whistle = await blow(await world.report(U1), assisting=[])
    for lead, officer in (("HOUSING", "P030"), ("CITY", "P033")):
        await whistle.act("dispute", officer, reason="不归我们")
        await whistle.act("decide", "arbiter", outcome="reassign", lead=lead)
    assert (await whistle.try_act("dispute", "P032", reason="不归我们")).status_code == 409


async def test_a_dispute_after_the_report_in_limit_is_too_late(world: World) -> None:
    whistle = await blow(await world.report(U1), occasion="emergency")
    await world.advance(minutes=31)
    assert (await whistle.try_act("dispute", "P030", reason="不归我们")).status_code == 409


async def test_the_lead_extends_once_and_not_into_the_past(world: World) -> None:
    whistle = await blow(await world.report(U1))
    assert (
        await whistle.try_act("extend", "P030", until=_in(await world.now(), 20), reason="等配件")
    ).status_code == 409
    await whistle.report_in()
    past = await whistle.try_act("extend", "P030", until=_in(await world.now(), -1), reason="等配件")
    assert (past.status_code, past.json()["errors"][0]["loc"]) == (422, ["body", "until"])
    found = await whistle.act("extend", "P030", until=_in(await world.now(), 20), reason="等配件")
    assert (found["flags"]["extended"], left(found, "result_by") > timedelta(days=19)) == (True, True)
    assert (await whistle.try_act("extend", "P030", until=_in(await world.now(), 40), reason="还等")).status_code == 409


def _in(now: datetime, days: int) -> str:
    return (now + timedelta(days=days)).isoformat()


async def test_both_sides_rate_once_and_the_handler_of_the_other_side_cannot(world: World) -> None:
    whistle = await blow(await world.report(U1))
    await whistle.report_in()
    await whistle.act("result", "P030", text="好了")
    assert (await whistle.try_act("rate", DESK, score=5)).status_code == 409
    await whistle.act("confirm", DESK)
    await whistle.act("rate", DESK, score=5, comment="来得快")
    await whistle.act("rate", "P030", score=4)
    assert (await whistle.try_act("rate", "P031", score=1)).status_code == 409


async def test_assisting_departments_only_read(world: World) -> None:
    whistle = await blow(await world.report(U1))
    assert (await whistle.get("P032"))["can"] == []
    assert (await whistle.try_act("acknowledge", "P032")).status_code == 403


async def test_a_whistled_department_reads_the_words_and_the_case(world: World) -> None:
    issue = await world.report(U1)
    assert (await world.call("GET", f"/api/intake/issues/{issue.id}", "P030")).status_code == 404
    await blow(issue)
    words = await world.call("GET", f"/api/intake/issues/{issue.id}", "P030")
    assert (words.status_code, words.json()["reporter"]) == (200, None)
    assert (await world.call("GET", f"/api/routing/cases/{issue.id}", "P030")).status_code == 200
    mine = (await world.call("GET", "/api/routing/whistles?department=me", "P030")).json()["items"]
    assert issue.id in [row["case"] for row in mine]


async def test_unknown_departments_are_refused_by_name_and_change_nothing(world: World) -> None:
    issue = await world.report(U1)
    for more, loc in (
        ({"lead": "NOBODY"}, ["body", "lead"]),
        ({"assisting": ["CITY", "NOBODY"]}, ["body", "assisting", 1]),
        ({"assisting": ["WATER"]}, ["body", "assisting", 0]),
    ):
        refused = await try_blow(issue, **more)
        assert (refused.status_code, refused.json()["errors"][0]["loc"]) == (422, loc)
    body = {"version": 1, "occasion": "demand", "assisting": [], "text": "到场"}
    none = await world.call("POST", f"/api/routing/cases/{issue.id}/whistles", DESK, json=body)
    assert (none.status_code, none.json()["errors"][0]["loc"]) == (422, ["body", "lead"])
    assert (await issue.case())["whistles"] == []


async def test_who_may_not_blow(world: World) -> None:
    issue = await world.report(U1)
    assert (await try_blow(issue, "P016")).status_code == 403
    assert (await try_blow(issue, "P026")).status_code == 404
    assert (await try_blow(issue, version=0)).status_code == 409


async def test_a_large_grid_leader_drafts_and_the_desk_sends_it_with_one_tap(world: World) -> None:
    issue = await world.report(U1)
    draft = await blow(issue, "P010")
    assert ((await draft.get())["state"], (await issue.case())["on_hold"]) == ("draft", None)
    assert (await world.call("GET", f"/api/routing/whistles/{draft.id}", "P030")).status_code == 404
    sent = await draft.act("send", DESK)
    assert (sent["state"], (await issue.case())["on_hold"]) == ("blown", "whistle")


async def test_case_33_a_second_whistle_for_the_same_place_and_department_is_an_addition(world: World) -> None:
    first = await world.report(U1)
    whistle = await blow(first)
    second = await world.report(U1)
    answer = await try_blow(second, text="又漏了")
    assert (answer.status_code, answer.json()["id"]) == (200, whistle.id)
    await world.settle()
    assert (await second.case())["on_hold"] == "whistle"
    other_place = await world.report(U2)
    assert (await try_blow(other_place)).status_code == 201
    third = await world.report(U1)
    await world.advance(days=7, minutes=1)
    assert (await try_blow(third)).status_code == 201
    await whistle.report_in()
    await whistle.act("result", "P030", text="好了")
    await whistle.act("confirm", DESK)
    assert (await second.case())["on_hold"] is None


async def test_departments_see_their_open_load(world: World) -> None:
    async def load() -> int:
        rows = (await world.call("GET", "/api/directory/departments", DESK)).json()["items"]
        return next(int(row["load"]) for row in rows if row["code"] == "WATER")

    before = await load()
    whistle = await blow(await world.report(U2))
    assert await load() == before + 1
    await whistle.act("withdraw", DESK, reason="弄错了")
    assert await load() == before


async def test_the_resident_reads_that_a_department_was_called_and_withdrawing_ends_its_whistle(world: World) -> None:
    issue = await world.report(U1)
    whistle = await blow(issue)
    assert "社区吹哨，请水务局到场" in [line["text"] for line in (await issue.track())["history"]]
    await issue.say("withdraw")
    assert (await whistle.get())["state"] == "withdrawn"
