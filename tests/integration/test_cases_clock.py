"""The clocks: cases 3, 4 (first half), 8, 9 (first half), 18, 28, 29, 35, and the example of sixteen messages."""

import asyncio
from collections import Counter
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from services.routing import jobs
from services.routing.governing import use_calendars, use_policy
from services.routing.policy import load, parse
from services.routing.store import writing
from shared.calendar.spans import Holidays, Hours, load_holidays
from shared.db import statement_counter, transaction
from tests.world import U1, U2, Issue, World

CHINA = ZoneInfo("Asia/Shanghai")


@pytest.fixture(autouse=True)
async def morning(world: World) -> None:
    await world.reset()


def local(text: str | None) -> str:
    assert text is not None
    return datetime.fromisoformat(text).astimezone(CHINA).strftime("%m-%d %H:%M")


async def kinds(issue: Issue) -> list[str]:
    rows = await issue.world.rows("SELECT kind FROM routing.history WHERE case_id = :id ORDER BY seq", id=issue.id)
    return [row["kind"] for row in rows]


async def test_the_example_of_sixteen_messages(world: World) -> None:
    issue = await world.report(U1)
    while not (await issue.case())["supervised"]:
        await world.advance(hours=1)
    told = Counter(await issue.told())
    assert sum(told.values()) == 16
    assert told["received", "resident"] == 1
    for no in ("P016", "P014", "P012", "P010", "P003", "P004"):
        assert (told["assigned", no], told["reminder", no]) == (1, 1)
    for no in ("P001", "P003", "P004"):
        assert told["supervision", no] == 1
    await world.advance(days=6)  # the promise passes as well: nobody is told again
    assert sum(Counter(await issue.told()).values()) == 16


async def test_case_03_accept_and_timeout_at_one_instant_exactly_one_wins(world: World) -> None:
    """A thousand times; the history shows which, and the loser learns what he can still do."""
    routing = world.parts.contexts["routing"]
    wins: Counter[str] = Counter()
    issues = [await _quick_report(world) for _ in range(20)]
    await world.settle()
    for _ in range(50):
        await world.sql("UPDATE routing.cases SET accept_by = clock_now() WHERE phase = 'assigned' AND rank = 1")
        seen = [await _version(issue) for issue in issues]
        presses = [issue.try_act("accept", "P016", version=n) for issue, n in zip(issues, seen, strict=True)]
        answers, _ = await asyncio.gather(asyncio.gather(*presses), jobs.escalate_due(routing))
        await jobs.escalate_due(routing)
        for issue, answer in zip(issues, answers, strict=True):
            case = await issue.case()
            if answer.status_code == 200:
                assert (case["holder"]["id"], case["phase"]) == ("P016", "accepted")
                wins["accept"] += 1
            else:
                assert answer.status_code == 409
                assert case["holder"]["id"] == "P014"
                assert answer.json()["can"] == ["claim"]
                wins["timeout"] += 1
        await _back_to_the_start(world)
    assert wins.total() == 1000


async def _quick_report(world: World) -> Issue:
    body = {"category": "FAC.light", "text": "灯坏了", "place": {"grid": U1}, "phone": "13900139000"}
    answer = await world.call("POST", "/api/intake/issues", json=body)
    return Issue(world, **answer.json())


async def _version(issue: Issue) -> int:
    return int(await issue.world.scalar("SELECT version FROM routing.cases WHERE id = CAST(:id AS uuid)", id=issue.id))


async def _back_to_the_start(world: World) -> None:
    """Claims back what has climbed, and makes every case assigned at its unit again, as on the first day."""
    await world.sql("UPDATE routing.hops SET until = clock_now(), ended_by = 'moved' WHERE until IS NULL;")
    await world.sql(
        "UPDATE routing.cases c SET phase = 'assigned', rank = 1, grid = place, accepted_at = NULL, hop = hop + 1,"
        " holder_person = (SELECT id FROM directory.v1_person WHERE no = 'P016'), passed = '{}', passed_rank = '{}',"
        " version = version + 1 WHERE phase IN ('assigned', 'accepted')"
    )
    await world.sql(
        "INSERT INTO routing.hops (case_id, hop, rank, grid, holder_kind, holder_person, since)"
        " SELECT id, hop, rank, grid, 'person', holder_person, clock_now() FROM routing.cases"
        " WHERE phase = 'assigned' AND rank = 1"
    )


async def test_case_04_a_reminder_and_its_deadline_due_at_once_only_the_move_is_told(world: World) -> None:
    issue = await world.report(U1, "WAT.leak")
    await world.advance(minutes=45)  # an outage: the reminder (22:30) and the deadline (30:00) are both over
    assert await kinds(issue) == ["opened", "escalated"]
    assert ("reminder", "P016") not in await issue.told()


async def test_a_reminder_comes_once_at_three_quarters_of_the_term(world: World) -> None:
    issue = await world.report(U1, "WAT.leak")
    await world.advance(minutes=21)
    assert ("reminder", "P016") not in await issue.told()
    await world.advance(minutes=1, seconds=35)
    await world.advance(minutes=3)
    assert (await issue.told()).count(("reminder", "P016")) == 1


async def test_a_long_outage_moves_a_case_one_level_with_a_full_new_term(world: World) -> None:
    issue = await world.report(U1, "WAT.leak")
    await world.advance(hours=9)
    case = await issue.case()
    assert case["holder"]["id"] == "P014"
    assert datetime.fromisoformat(case["accept_by"]) - datetime.fromisoformat(case["now"]) > timedelta(minutes=29)


async def test_case_08_an_open_case_keeps_its_policy_and_a_new_one_takes_the_edited(world: World) -> None:
    old = await world.report(U1)
    edited = parse({"base": "default", "name": "edited", "urgencies": _with_short_terms()})
    async with transaction(world.owner) as conn:
        await use_policy(conn, edited)
    try:
        new = await world.report(U2)
        before, after = await old.case(), await new.case()
        assert (local(before["accept_by"]), local(after["accept_by"])) == ("11-24 14:00", "11-24 11:00")
        assert (before["policy"].split("@")[0], after["policy"].split("@")[0]) == ("default", "edited")
        await world.advance(hours=4, seconds=1)
        assert local((await old.case())["accept_by"]) == "11-24 18:00"  # the next hop too: four hours, not one
    finally:
        async with transaction(world.owner) as conn:
            await use_policy(conn, load("default"))


def _with_short_terms() -> dict[str, object]:
    urgencies = load("default").body()["urgencies"]
    for level in urgencies["ordinary"]["accept"]:
        urgencies["ordinary"]["accept"][level] = "1h"
    return dict(urgencies)


async def test_case_09_accepted_and_idle_resolve_by_fires_exactly_then(world: World) -> None:
    issue = await world.report(U1, "WAT.leak")  # resolve within 2 h of dispatch
    due = (await issue.act("accept", "P016"))["resolve_by"]
    await world.at("2026-11-24 11:58:30")
    assert await issue.holder() == "P016"
    await world.at("2026-11-24 12:01:00")
    case = await issue.case()
    assert case["hops"][0]["until"] >= due
    assert (case["holder"]["id"], case["hops"][0]["ended_by"]) == ("P014", "resolve_timeout")


async def test_case_18_paused_thirty_minutes_inside_a_term_of_thirty_it_ends_after_sixty(world: World) -> None:
    issue = await world.report(U1, "WAT.leak")
    await world.advance(minutes=10)
    asked = await issue.act("ask", "P016", text="水还在流吗？")
    assert (asked["on_hold"], asked["accept_by"], asked["resolve_by"]) == ("reporter", None, None)
    await world.advance(minutes=30)
    assert await issue.holder() == "P016"
    await issue.say("reply", text="还在流")
    case = await issue.case()
    assert local(case["accept_by"]) in ("11-24 11:00", "11-24 11:01")  # a step takes a moment
    await world.at("2026-11-24 10:58:30")
    assert await issue.holder() == "P016"
    await world.at("2026-11-24 11:02:00")
    assert await issue.holder() == "P014"


async def test_case_18_what_pauses_at_night_goes_on_at_the_exact_minute_in_the_morning(world: World) -> None:
    await world.at("2026-11-24 20:00")
    issue = await world.report(U1)  # ordinary: 4 h of the volunteers' clock, which stands still 22:00-07:00
    assert local((await issue.case())["accept_by"]) == "11-25 09:00"
    for hour in (22, 23):
        await world.at(f"2026-11-24 {hour}:30")
    await world.at("2026-11-25 08:58:30")
    assert await issue.holder() == "P016"
    await world.at("2026-11-25 09:00:40")
    assert await issue.holder() == "P014"


async def test_an_unanswered_question_is_reminded_once_and_ends_after_five_days(world: World) -> None:
    issue = await world.report(U1)
    await issue.act("ask", "P016", text="哪一层？")
    await world.advance(days=3, minutes=1)
    await world.advance(days=1)
    assert (await issue.told()).count(("asked", "resident")) == 2
    await world.advance(days=1, minutes=1)
    case = await issue.case()
    assert (case["on_hold"], case["phase"]) == (None, "assigned")
    assert case["accept_by"] is not None


async def test_silence_closes_after_seven_days_with_reminders_on_the_third_and_sixth(world: World) -> None:
    issue = await world.report(U1)
    await issue.act("accept", "P016")
    await issue.act("resolve", "P016", reply="换好了")
    for _ in range(7):
        await world.advance(days=1, seconds=1)
    assert (await issue.told()).count(("still-asking", "resident")) == 2
    case = await issue.case()
    assert (case["phase"], case["closed_how"]) == ("closed", "unanswered")
    assert (await issue.track())["can"] == ["answer"]
    await issue.say("answer", solved="no")
    assert (await issue.holder(), (await issue.case())["phase"]) == ("P014", "assigned")


async def test_after_thirty_days_an_unanswered_case_stays_closed(world: World) -> None:
    issue = await world.report(U1)
    await issue.act("accept", "P016")
    await issue.act("resolve", "P016", reply="换好了")
    await world.advance(days=8)
    await world.advance(days=31)
    refused = await issue.try_say("answer", solved="no")
    assert (refused.status_code, refused.json()["can"]) == (409, [])


async def test_passing_the_promise_moves_nothing_and_lists_the_case_once(world: World) -> None:
    issue = await world.report(U1)
    await issue.act("ask", "P016", text="哪一层？")
    await world.advance(days=5, minutes=1)
    await issue.act("accept", "P016")
    for _ in range(3):
        await world.advance(days=1)
    assert (await kinds(issue)).count("supervised") >= 1
    listed = (await world.call("GET", "/api/routing/supervision", "P003")).json()["items"]
    assert len([row for row in listed if row["id"] == issue.id]) == 1


async def test_case_28_an_edited_calendar_recomputes_open_deadlines_once_on_import(world: World) -> None:
    await world.at("2026-12-30 10:00")  # a Wednesday; New Year 2027 is not published
    issue = await world.report("150902-01-02")  # a village's desk: accept within 1 working day, resolve within 3
    case = await issue.case()
    assert (local(case["accept_by"]), local(case["resolve_by"])) == ("12-31 10:00", "01-04 10:00")
    assert case["provisional"] is True
    published = load_holidays()
    new_year = {date(2027, 1, 1), date(2027, 1, 4)}
    edited = Holidays(date(2027, 12, 31), published.holidays | new_year, published.workdays)
    workday = {"workday": Hours.parse("00:00-24:00", "working")}
    async with transaction(world.owner) as conn:
        await use_calendars(conn, workday, edited)
    try:
        again = await issue.case()
        assert (local(again["accept_by"]), local(again["resolve_by"])) == ("12-31 10:00", "01-06 10:00")
        assert again["version"] == case["version"]
    finally:
        async with transaction(world.owner) as conn:
            await use_calendars(conn, workday, published)


async def test_case_29_a_batch_of_27_gives_27_hops_27_history_rows_and_27_events_in_four_statements(
    world: World,
) -> None:
    """Two people are told of each, which must not multiply anything."""
    issues = [await _quick_report(world) for _ in range(27)]
    await world.settle()
    ids = [issue.id for issue in issues]
    routing = world.parts.contexts["routing"]
    await world.sql(
        "UPDATE routing.cases SET accept_by = clock_now() + interval '1 hour', rank = 4, holder_person = NULL,"
        " holder_kind = 'desk' WHERE id = ANY(CAST(:ids AS uuid[]))",
        ids=ids,
    )
    counts = (
        "SELECT (SELECT count(*) FROM routing.hops WHERE case_id = ANY(CAST(:ids AS uuid[]))) AS hops,"
        " (SELECT count(*) FROM routing.history WHERE case_id = ANY(CAST(:ids AS uuid[]))) AS history,"
        " (SELECT count(*) FROM routing.outbox WHERE subject = ANY(CAST(:ids AS uuid[]))) AS events"
    )
    before = (await world.rows(counts, ids=ids))[0]
    await world.sql("UPDATE routing.cases SET accept_by = clock_now() WHERE id = ANY(CAST(:ids AS uuid[]))", ids=ids)
    await world.settle()
    after = (await world.rows(counts, ids=ids))[0]
    assert {name: after[name] - before[name] for name in before} == {"hops": 27, "history": 27, "events": 27}
    told = await world.rows(
        "SELECT count(*) AS n FROM notify.message WHERE issue = ANY(CAST(:ids AS uuid[])) AND reason = 'assigned'"
        " AND hop = 2",
        ids=ids,
    )
    assert told[0]["n"] == 54
    statements = statement_counter(routing.engine)
    await jobs.escalate_due(routing, writing.BATCH)
    assert statements[0] <= 4


async def test_a_grid_whose_cases_another_worker_moves_is_left_to_it_and_an_emergency_waits_for_nobody(
    world: World,
) -> None:
    routing = world.parts.contexts["routing"]
    ordinary, emergency = await world.report(U1), await world.report(U1, "SAF.gas")
    moved = "SELECT count(*) FROM routing.history WHERE case_id = :id AND kind IN ('escalated', 'supervised')"
    async with transaction(routing.engine) as other:
        for lane in range(writing.LANES):
            await other.execute(text("SELECT pg_advisory_xact_lock(hashtext('lane'), :lane)"), {"lane": lane})
        await world.sql("UPDATE routing.cases SET accept_by = clock_now() WHERE phase = 'assigned'")
        while await world.scalar(moved, id=emergency.id) == 0:
            await asyncio.sleep(0.02)
        assert await jobs.escalate_due(routing) == 0
        assert await world.scalar(moved, id=ordinary.id) == 0
    await world.settle()
    assert await world.scalar(moved, id=ordinary.id) == 1


async def test_case_35_urgent_at_night_goes_to_the_duty_desk_and_rings_no_volunteer(world: World) -> None:
    await world.at("2026-11-24 23:00")
    issue = await world.report(U1, "WAT.leak")
    case = await issue.case()
    assert (case["level"], case["holder"]["kind"]) == ("community", "desk")
    assert [hop["skipped"] for hop in case["hops"]] == ["night", "night", "night", "night", None]
    told = await issue.told()
    assert {who for _, who in told} == {"P003", "P004", "resident"}
    await world.at("2026-11-25 07:00:01")
    assert {who for reason, who in await issue.told() if reason == "night"} == {"P016", "P014", "P012", "P010"}


async def test_an_emergency_tells_every_level_at_once_and_the_large_grid_leader_holds_it(world: World) -> None:
    issue = await world.report(U1, "SAF.gas")
    assert (await issue.case())["level"] == "large"
    told = await issue.told()
    emergency = {who for reason, who in told if reason == "emergency"}
    assert emergency == {"P016", "P017", "P014", "P015", "P012", "P013", "P010", "P003", "P004"}
    assert ("assigned", "P010") in told
    await world.advance(minutes=15, seconds=1)
    assert (await issue.case())["level"] == "community"
