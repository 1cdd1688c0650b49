"""What an administrator decides: policies checked, saved, reapplied; calendars; maintenance. Cases 8, 19 and 28."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import httpx2
import pytest
import pytest_asyncio
import yaml

from services.routing import jobs
from services.routing.governing import use_policy
from services.routing.policy import load, read_source
from shared.db import transaction
from tests.world import U1, U2, Issue, World

DEFAULT = read_source("default")
VILLAGE = "150902-01-02"
"""Its desk has office hours: accept within one working day."""


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def morning(world: World) -> AsyncIterator[None]:
    """A working Tuesday, the default policy, the calendar as published."""
    await world.reset()
    yield
    await world.sql("DELETE FROM routing.maintenance")
    await world.sql("DELETE FROM routing.district_day")
    await world.sql("DELETE FROM routing.published_year")
    async with transaction(world.owner) as conn:
        await use_policy(conn, load("default"))


def with_terms(name: str, **accept: str) -> str:
    """The default policy with other terms to accept an ordinary case."""
    body = load("default").body()
    body["urgencies"]["ordinary"]["accept"] |= accept
    return yaml.safe_dump({**body, "name": name}, allow_unicode=True)


async def save(world: World, source: str, who: str = "admin", reason: str = "试一试") -> httpx2.Response:
    return await world.call("POST", "/api/routing/policies", who, json={"yaml": source, "reason": reason})


async def saved(world: World, source: str) -> str:
    answer = await save(world, source)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def decisions(world: World) -> int:
    return int(await world.scalar("SELECT count(*) FROM routing.decisions"))


def term(case: dict[str, Any], which: str = "accept_by") -> timedelta:
    """The term of a clock, to the second."""
    found = datetime.fromisoformat(case[which]) - datetime.fromisoformat(case["opened_at"])
    return timedelta(seconds=round(found.total_seconds()))


def local(text: str | None) -> str:
    assert text is not None
    return f"{datetime.fromisoformat(text) + timedelta(hours=8):%m-%d %H:%M}"


# -- saving -------------------------------------------------------------------------------------------------
async def test_case_08_a_policy_saved_in_mid_case_serves_new_cases_only(world: World) -> None:
    old = await world.report(U1)
    id_ = await saved(world, with_terms("short", micro="1h"))
    new = await world.report(U2)
    assert (term(await old.case()), term(await new.case())) == (timedelta(hours=4), timedelta(hours=1))
    assert (await new.case())["policy"] == id_


async def test_case_08_a_policy_with_other_hours_moves_no_open_deadline(world: World) -> None:
    """The village's desk works 9 to 17; by longer days it would have to accept earlier."""
    source = DEFAULT.replace("community: 1wd}", "community: 9h}", 1)
    await saved(world, source.replace("name: default", "name: hours"))
    old = await world.report(VILLAGE)
    before = await old.case()
    await saved(world, source.replace("name: default", "name: longer").replace("09:00-17:00", "08:00-20:00"))
    new = await world.report(VILLAGE)
    assert (await old.case())["accept_by"] == before["accept_by"]
    assert (local(before["accept_by"]), local((await new.case())["accept_by"])) == ("11-25 11:00", "11-24 19:00")


async def test_a_saved_policy_is_listed_with_its_words_and_who_saved_it_why(world: World) -> None:
    source = "# 街道商量过\n" + with_terms("noted", micro="2h")
    answer = await save(world, source, reason="居民嫌慢")
    id_ = answer.json()["id"]
    listed = (await world.call("GET", "/api/routing/policies", "auditor")).json()["items"]
    (row,) = [item for item in listed if item["id"] == id_]
    assert (row["created_by"], row["in_force"], row["reason"]) == ("admin", True, "居民嫌慢")
    assert [item["id"] for item in listed if item["in_force"]] == [id_]
    assert (await world.call("GET", f"/api/routing/policies/{id_}", "command")).json()["yaml"] == source


async def test_saving_with_the_same_key_twice_is_one_decision(world: World) -> None:
    body = {"yaml": with_terms("once", micro="3h"), "reason": "一次"}
    before = await decisions(world)
    answers = [await world.call("POST", "/api/routing/policies", "admin", "k-once", json=body) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert await decisions(world) == before + 1


@pytest.mark.parametrize("who", ["command", "auditor", "arbiter", "P001", "P003", "13912390077"])
async def test_only_an_administrator_saves_a_policy(world: World, who: str) -> None:
    before = await world.scalar("SELECT policy FROM routing.policy_in_force")
    assert (await save(world, with_terms("theirs", micro="1h"), who)).status_code == 403
    assert await world.scalar("SELECT policy FROM routing.policy_in_force") == before


BAD = [
    ("an unknown level", "{micro: 30min, small", "{nano: 30min, small", "urgencies.urgent.accept.nano", 21),
    ("a level without a term", "micro: 2h, ", "", "urgencies.urgent.resolve.micro", 22),
    ("an unknown calendar", "upper: office", "upper: nights", "urgencies.ordinary.upper", 26),
    ("an unknown urgency", "  complex:", "  difficult:", "urgencies.difficult", 30),
    ("an unknown category", "categories: {}", "categories:\n  FOO.bar: {total: 1d}", "categories.FOO.bar", 39),
    ("an unknown field", "reopen: 30d", "reopens: 30d", "reopens", 42),
    ("a night of unknown urgencies", "urgencies: [urgent]", "urgencies: [urgnt]", "night.urgencies.0", 45),
    ("an unquoted time", 'from: "22:00"', "from: 22:00", "night.from", 45),
    ("a term that is none", "reopen: 30d", "reopen: soon", "reopen", 42),
    ("a term of years", "reopen: 30d", "reopen: 3000d", "reopen", 42),
    ("a reminder after the end", "reminders: [3d, 6d]", "reminders: [3d, 8d]", "silence.reminders.1", 40),
    ("a key that stands twice", "reopen: 30d", "reopen: 30d\nreopen: 3d", "reopen", 43),
    ("a whistle without an occasion", "    key_work: {report_in: 3wd, result: 15wd}\n", "", "whistle.occasions", 50),
    ("no YAML", "categories: {}", "categories: {", "", 41),
]


@pytest.mark.parametrize(("old", "new", "field", "line"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
async def test_a_bad_policy_is_refused_with_the_field_and_its_line_and_nothing_is_changed(
    world: World, old: str, new: str, field: str, line: int
) -> None:
    assert old in DEFAULT
    source = DEFAULT.replace(old, new, 1)
    before = await decisions(world)
    answer = await save(world, source)
    assert answer.status_code == 422, answer.text
    told = [(".".join(map(str, error["loc"])), error.get("line")) for error in answer.json()["errors"]]
    wanted = f"body.yaml.{field}".rstrip(".")
    assert next(at for loc, at in told if loc.startswith(wanted)) == line, told
    checked = await world.call("POST", "/api/routing/policies/check", "admin", json={"yaml": source})
    assert [(".".join(map(str, e["loc"])), e["line"]) for e in checked.json()["errors"]] == told
    assert await decisions(world) == before
    assert await world.scalar("SELECT policy FROM routing.policy_in_force") == load("default").id


CLOSED = ["{hours: 09:00-09:00, days: working}", "{hours: 09:00-17:00, days: none}", "{days: working}", "{}"]


@pytest.mark.parametrize("office", CLOSED)
async def test_case_19_a_calendar_without_hours_is_refused_when_saved(world: World, office: str) -> None:
    answer = await save(world, DEFAULT.replace('{hours: "09:00-17:00", days: working}', office))
    assert answer.status_code == 422
    errors = answer.json()["errors"]
    assert {tuple(error["loc"][:4]) for error in errors} == {("body", "yaml", "calendars", "office")}
    assert {error["line"] for error in errors} == {7}


async def test_two_errors_are_told_at_once(world: World) -> None:
    source = DEFAULT.replace("micro: 2h, ", "").replace("micro: 30min, ", "")
    answer = await save(world, source)
    assert [error["line"] for error in answer.json()["errors"]] == [21, 22]


async def test_policies_saved_while_cases_open_leave_every_case_with_one_policy_and_its_terms(world: World) -> None:
    sources = [with_terms(f"race-{n}", micro=f"{n}h") for n in range(1, 9)]

    async def report() -> Issue:
        body = {"category": "FAC.light", "text": "灯坏了", "place": {"grid": U1}, "phone": "13900139000"}
        return Issue(world, **(await world.call("POST", "/api/intake/issues", json=body)).json())

    answers = await asyncio.gather(*(save(world, source) for source in sources), *(report() for _ in range(60)))
    assert {a.status_code for a in answers[: len(sources)] if isinstance(a, httpx2.Response)} == {201}
    await world.settle()
    rows = await world.rows(
        "SELECT c.policy, c.accept_term = t.accept_term AS its_own FROM routing.cases c JOIN routing.term t"
        " ON t.policy = c.policy AND t.class = c.class AND t.rank = c.rank"
    )
    assert len(rows) == 60
    assert all(row["its_own"] for row in rows)
    assert await world.scalar("SELECT count(*) FROM routing.policy_in_force") == 1


# -- reapplying ---------------------------------------------------------------------------------------------
async def reapply(world: World, from_: str | None = None, who: str = "admin") -> httpx2.Response:
    body = {"from": from_, "reason": "上一版写错了"}
    return await world.call("POST", "/api/routing/policies/reapply", who, json=body)


async def test_a_reapplied_policy_gives_an_open_case_its_new_term_from_when_the_old_one_began(world: World) -> None:
    wrong = await saved(world, with_terms("wrong", micro="14h"))
    issue = await world.report(U1)
    await world.advance(hours=2)
    right = await saved(world, with_terms("right", micro="3h"))
    assert (await reapply(world, wrong)).json() == {"cases": 1}
    case = await issue.case()
    assert (case["policy"], term(case)) == (right, timedelta(hours=3))
    await world.advance(hours=1, seconds=1)
    assert await issue.holder() == "P014"


async def test_a_reapplied_policy_takes_off_what_was_used_before_a_pause(world: World) -> None:
    await saved(world, with_terms("wrong", micro="14h"))
    issue = await world.report(U1)
    await world.advance(hours=1)
    await issue.act("ask", "P016", text="几楼？")
    await world.advance(hours=2)
    await saved(world, with_terms("right", micro="4h"))
    await reapply(world)
    assert (await issue.case())["accept_by"] is None
    await issue.say("reply", text="三楼")
    case = await issue.case()
    assert datetime.fromisoformat(case["accept_by"]) - datetime.fromisoformat(case["now"]) > timedelta(hours=2.99)
    assert term(case) < timedelta(hours=6.01)


async def test_a_reapplied_policy_is_in_the_history_and_told_and_costs_no_version(world: World) -> None:
    before = await saved(world, with_terms("wrong", micro="14h"))
    issue = await world.report(U1)
    version = (await issue.case())["version"]
    await saved(world, with_terms("right", micro="3h"))
    await reapply(world)
    await world.settle()
    (row,) = await world.rows("SELECT * FROM routing.history WHERE kind = 'reapplied'")
    (event,) = await world.rows(
        "SELECT data FROM routing.outbox WHERE type = 'cn.chuishao.routing.case.reapplied.v1' AND subject = :id",
        id=issue.id,
    )
    assert (row["detail"]["before"], row["text"], event["data"]["before"]) == (before, None, before)
    assert event["data"]["accept_by"] is not None
    assert (await issue.case())["version"] == version


async def test_a_policy_is_reapplied_to_the_cases_of_the_wrong_one_only(world: World) -> None:
    first = await world.report(U1)
    wrong = await saved(world, with_terms("wrong", micro="14h"))
    second = await world.report(U2)
    right = await saved(world, with_terms("right", micro="3h"))
    await reapply(world, wrong)
    assert ((await first.case())["policy"], (await second.case())["policy"]) == (load("default").id, right)
    assert (await reapply(world, wrong)).json() == {"cases": 0}


async def test_a_reapplied_policy_leaves_a_deadline_that_was_agreed_upon(world: World) -> None:
    issue = await world.report(U1)
    await issue.act("accept", "P016")
    until = "2026-12-01T10:00:00+08:00"
    await issue.act("extend", "P016", until=until, reason="等配件")
    await issue.act("extend", "P012", until=until, reason="可以")
    await saved(world, with_terms("right", micro="3h"))
    await reapply(world)
    assert local((await issue.case())["resolve_by"]) == "12-01 10:00"


async def test_reapplying_from_a_policy_nobody_knows_is_refused(world: World) -> None:
    answer = await reapply(world, "default@000000000000")
    assert (answer.status_code, answer.json()["errors"][0]["loc"]) == (422, ["body", "from"])


async def test_only_an_administrator_reapplies(world: World) -> None:
    assert (await reapply(world, None, "command")).status_code == 403


# -- calendars ----------------------------------------------------------------------------------------------
async def set_days(world: World, who: str = "admin", **days: bool | None) -> httpx2.Response:
    told = [{"date": day.strip("d").replace("_", "-"), "open": is_open} for day, is_open in days.items()]
    return await world.call("PUT", "/api/routing/calendars/days", who, json={"days": told, "reason": "区里放假"})


async def test_a_day_the_district_has_off_moves_open_deadlines_and_back_again(world: World) -> None:
    issue = await world.report(VILLAGE)  # Tuesday 10:00
    assert local((await issue.case())["accept_by"]) == "11-25 10:00"
    assert (await set_days(world, d2026_11_25=False)).status_code == 200
    assert local((await issue.case())["accept_by"]) == "11-26 10:00"
    assert (await set_days(world, d2026_11_25=None)).json()["days"] == []
    assert local((await issue.case())["accept_by"]) == "11-25 10:00"


async def test_a_weekend_the_district_works_counts(world: World) -> None:
    await world.at("2026-11-27 10:00")  # a Friday
    issue = await world.report(VILLAGE)
    await set_days(world, d2026_11_28=True)
    assert local((await issue.case())["accept_by"]) == "11-28 10:00"


async def test_case_28_importing_a_year_recomputes_open_deadlines_once_and_ends_what_was_provisional(
    world: World,
) -> None:
    await world.at("2026-12-30 10:00")
    issue = await world.report(VILLAGE)
    assert (await issue.case())["provisional"] is True
    year = {"year": 2027, "holidays": ["2027-01-01", "2027-01-04"], "workdays": ["2027-01-02"], "reason": "公布了"}
    answer = await world.call("POST", "/api/routing/calendars/years", "admin", json=year)
    assert answer.status_code == 201, answer.text
    assert answer.json()["published_until"].startswith("2027-12-31")
    case = await issue.case()
    assert (local(case["resolve_by"]), case["provisional"]) == ("01-05 10:00", False)


async def blow(world: World, occasion: str, lead: str = "WATER") -> dict[str, Any]:
    issue = await world.report(VILLAGE)
    body = {"version": (await issue.case())["version"], "occasion": occasion, "lead": lead, "assisting": []}
    path = f"/api/routing/cases/{issue.id}/whistles"
    answer = await world.call("POST", path, "P006", json={**body, "text": "请到场"})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def limit(world: World, whistle: dict[str, Any], which: str) -> str:
    return local((await world.call("GET", f"/api/routing/whistles/{whistle['id']}", "P006")).json()[which])


async def whistle_act(world: World, whistle: dict[str, Any], act: str, **body: Any) -> None:
    officer, path = f"department:{whistle['lead']}", f"/api/routing/whistles/{whistle['id']}"
    seen = (await world.call("GET", path, officer)).json()
    answer = await world.call("POST", f"{path}/{act}", officer, json={"version": seen["version"], **body})
    assert answer.status_code == 200, answer.text


async def test_a_day_off_moves_a_whistles_deadline_in_working_days_and_not_one_in_hours(world: World) -> None:
    demand, enforcement = await blow(world, "demand"), await blow(world, "enforcement", "CITY")
    before = [await limit(world, each, "report_in_by") for each in (demand, enforcement)]
    assert before == ["11-26 10:00", "11-25 10:00"]
    await set_days(world, d2026_11_25=False)
    after = [await limit(world, each, "report_in_by") for each in (demand, enforcement)]
    assert after == ["11-27 10:00", "11-25 10:00"]
    red = await world.scalar("SELECT red_at FROM routing.whistles WHERE occasion = 'demand'")
    assert local(red.isoformat()) == "11-30 10:00"


async def test_a_day_off_leaves_a_result_that_was_put_off_and_moves_one_that_was_not(world: World) -> None:
    plain, put_off = await blow(world, "demand"), await blow(world, "key_work", "CITY")
    for each in (plain, put_off):
        at = (await world.now()).isoformat()
        await whistle_act(world, each, "report-in", person="P030", at=at)
    await whistle_act(world, put_off, "extend", until="2026-12-24T10:00:00+08:00", reason="等材料")
    before = await limit(world, plain, "result_by")
    await set_days(world, d2026_11_25=False)
    assert (before, await limit(world, plain, "result_by")) == ("12-01 10:00", "12-02 10:00")
    assert await limit(world, put_off, "result_by") == "12-24 10:00"


BAD_CALENDARS = [
    ("PUT", "days", {"days": [{"date": "2026-13-01", "open": False}], "reason": "x"}, "days"),
    ("PUT", "days", {"days": [{"date": "1926-01-01", "open": False}], "reason": "x"}, "days"),
    ("PUT", "days", {"days": [{"date": "2026-12-01", "open": "no"}], "reason": "x"}, "days"),
    ("PUT", "days", {"days": [{"date": "2026-12-01", "open": True}] * 2, "reason": "x"}, "body"),
    ("PUT", "days", {"days": [], "reason": "x"}, "days"),
    ("PUT", "days", {"days": [{"date": "2026-12-01", "open": True}], "reason": " "}, "reason"),
    ("POST", "years", {"year": 2027, "holidays": ["2028-01-01"], "workdays": [], "reason": "x"}, "body"),
    ("POST", "years", {"year": 2027, "holidays": [], "workdays": [], "reason": "x"}, "holidays"),
    ("POST", "years", {"year": 2027, "holidays": ["2027-01-01"], "workdays": ["2027-01-01"], "reason": "x"}, "body"),
]


@pytest.mark.parametrize(("method", "path", "body", "field"), BAD_CALENDARS)
async def test_a_bad_calendar_is_refused_with_its_field(
    world: World, method: str, path: str, body: dict[str, Any], field: str
) -> None:
    before = await decisions(world)
    answer = await world.call(method, f"/api/routing/calendars/{path}", "admin", json=body)
    assert answer.status_code == 422, answer.text
    assert any(field in error["loc"] for error in answer.json()["errors"])
    assert await decisions(world) == before


async def test_a_calendar_changed_while_a_hop_opens_leaves_no_deadline_by_the_old_days(world: World) -> None:
    for n in range(8):
        reports = [world.call("POST", "/api/intake/issues", json=_village_report()) for _ in range(5)]
        await asyncio.gather(set_days(world, d2026_11_25=n % 2 == 0 and None), *reports)
    await set_days(world, d2026_11_25=False)
    await world.settle()
    stale = await world.rows(
        "SELECT accept_by FROM routing.cases WHERE accept_by <> due(accept_calendar, accept_since, accept_left)"
    )
    assert stale == []


def _village_report() -> dict[str, Any]:
    return {"category": "FAC.light", "text": "灯坏了", "place": {"grid": VILLAGE}, "phone": "13900139001"}


# -- maintenance --------------------------------------------------------------------------------------------
async def maintain(world: World, *, on: bool, who: str = "admin") -> httpx2.Response:
    if on:
        return await world.call("PUT", "/api/routing/maintenance", who, json={"reason": "搬机房"})
    return await world.call("DELETE", "/api/routing/maintenance", who)


async def test_during_maintenance_no_timeout_fires_and_nobody_is_reminded(world: World) -> None:
    issue = await world.report(U1, "WAT.leak")
    assert (await maintain(world, on=True)).json()["on"] is True
    await world.advance(hours=2)
    assert await jobs.escalate_due(world.parts.contexts["routing"]) == 0
    assert await issue.holder() == "P016"
    assert ("reminder", "P016") not in await issue.told()


async def test_after_maintenance_cases_stay_at_their_level_with_a_full_new_term(world: World) -> None:
    issue = await world.report(U1, "WAT.leak")
    await world.advance(minutes=29)
    await maintain(world, on=True)
    await world.advance(hours=2)
    assert (await maintain(world, on=False)).json() == {
        "on": False, "since": None, "by": None, "reason": None, "cases": 1
    }  # fmt: skip
    await world.settle()
    case = await issue.case()
    left = datetime.fromisoformat(case["accept_by"]) - datetime.fromisoformat(case["now"])
    assert (case["holder"]["id"], timedelta(minutes=29) < left <= timedelta(minutes=30)) == ("P016", True)
    await world.advance(minutes=31)
    assert await issue.holder() == "P014"


async def test_after_maintenance_a_resident_has_as_long_to_answer_as_before(world: World) -> None:
    issue = await world.report(U1)
    await issue.act("accept", "P016")
    await issue.act("resolve", "P016", reply="换了")
    await world.advance(days=6, hours=12)
    await maintain(world, on=True)
    await world.advance(days=3)
    assert (await issue.case())["phase"] == "resolved"
    await maintain(world, on=False)
    await world.settle()
    assert (await issue.case())["phase"] == "resolved"
    await world.advance(hours=13)
    assert (await issue.case())["closed_how"] == "unanswered"


async def test_after_maintenance_what_is_supervised_is_looked_at_again_later_by_as_long(world: World) -> None:
    issue = await world.report(VILLAGE)
    await world.sql("UPDATE routing.cases SET supervised_at = clock_now(), supervised_why = 'promise'")
    await world.run_jobs()
    review = "SELECT review_at FROM routing.supervised WHERE id = CAST(:id AS uuid)"
    before = await world.scalar(review, id=issue.id)
    await maintain(world, on=True)
    await world.advance(hours=5)
    await maintain(world, on=False)
    later = (await world.scalar(review, id=issue.id)) - before
    assert timedelta(hours=5) <= later < timedelta(hours=5, minutes=1)


async def test_a_suspended_case_wakes_on_its_day_whether_there_was_maintenance_or_not(world: World) -> None:
    issue = await world.report(U1)
    await issue.act("suspend", "P016", until="2026-12-01T10:00:00+08:00", reason="上冻了")
    await issue.act("suspend", "P003", until="2026-12-01T10:00:00+08:00", reason="可以")
    await maintain(world, on=True)
    await world.advance(days=1)
    await maintain(world, on=False)
    await world.at("2026-12-01 10:00:01")
    assert (await issue.case())["on_hold"] is None


async def test_what_is_due_during_maintenance_worries_no_auditor(world: World) -> None:
    await world.report(U1, "WAT.leak")
    await maintain(world, on=True)
    await world.sql("UPDATE clock_shift SET shift = shift + interval '3 hours'")
    assert await world.scalar("SELECT count(*) FROM routing.v1_due WHERE at < clock_now()") == 0


async def test_maintenance_is_an_administrators(world: World) -> None:
    assert (await maintain(world, on=True, who="command")).status_code == 403
    assert (await maintain(world, on=False, who="P001")).status_code == 403
    assert (await world.call("GET", "/api/routing/maintenance", "command")).json()["on"] is False


async def test_ending_maintenance_that_is_not_on_changes_nothing(world: World) -> None:
    before = await decisions(world)
    assert (await maintain(world, on=False)).json()["cases"] == 0
    assert await decisions(world) == before
