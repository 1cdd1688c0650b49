"""Meetings: invitation, replies, the door, quorum, result and tasks; moved and moved again."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import icalendar
import pytest
import pytest_asyncio

from tests.integration.meetings import (
    CHAIR,
    DESK,
    OUTSIDE,
    SIX,
    Topic,
    plan,
    problem,
    propose,
    put_policy,
    scheduled,
)
from tests.world import U1, World

DUE = "2026-12-20T00:00:00+08:00"
RESIDENT = "13912360007"


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def _anew(world: World) -> AsyncIterator[None]:
    await world.reset()
    await put_policy(world)
    yield


def seats(meeting: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {seat["kind"]: seat for seat in meeting["seats"]}


async def events_of(world: World, topic: Topic, kind: str) -> list[dict[str, Any]]:
    return [data for name, data in await topic.events() if name == kind]


async def ics(world: World, topic: Topic, who: str = SIX[0]) -> icalendar.Calendar:
    answer = await world.call("GET", f"/api/deliberation/meetings/{topic.meeting_id}/invite.ics", who)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/calendar; charset=utf-8; method=")
    return icalendar.Calendar.from_ical(answer.content)


# -- the invitation -------------------------------------------------------------------------------------------
async def test_a_meeting_has_its_chair_the_six_and_the_resident(world: World) -> None:
    topic = await scheduled(world, n=["居民", "HOUSING"])
    meeting = await topic.meeting()
    assert [(s["kind"], s["person"], s["required"]) for s in meeting["seats"][2:]] == [
        ("居民自治组织", "P040", True),
        ("业委会", "P041", True),
        ("物业", "P042", True),
        ("社会组织", "P043", True),
        ("志愿服务", "P044", True),
        ("包联单位", "P045", True),
        ("HOUSING", "P033", False),
    ]
    assert (meeting["seats"][0]["kind"], meeting["seats"][0]["person"]) == ("主持", CHAIR)
    assert meeting["seats"][1]["kind"] == "居民"
    assert (meeting["state"], meeting["venue"], meeting["quorum"]) == ("scheduled", "V2", {"needed": 4, "present": 0})
    assert (await topic.get())["meeting"] == topic.meeting_id
    (told,) = await events_of(world, topic, "meeting.scheduled")
    assert [seat["kind"] for seat in told["seats"]] == [seat["kind"] for seat in meeting["seats"]]
    assert (told["sequence"], told["state"], told["number"]) == (0, "scheduled", topic.issue.number)


async def test_a_neighbour_does_not_learn_who_reported(world: World) -> None:
    issue = await world.report(U1, phone=RESIDENT)
    topic = await (await (await propose(world, issue)).screen()).plan()
    resident = str(await world.resident(RESIDENT))
    for who, known in {CHAIR: resident, DESK: resident, "command": resident, RESIDENT: resident, SIX[0]: None}.items():
        assert seats(await topic.meeting(who))["居民"]["person"] == known, who


async def test_only_who_runs_the_meeting_sees_the_code_at_the_door(world: World) -> None:
    topic = await scheduled(world)
    assert (await topic.meeting(CHAIR))["door"] == (await topic.meeting(DESK))["door"]
    assert "door" not in await topic.meeting(SIX[0])
    answer = await topic.act("check-in", CHAIR, person=SIX[0])
    assert "door" not in answer, "what is kept as an answer would keep the code"


async def test_the_notice_for_the_board_names_nobody(world: World) -> None:
    topic = await scheduled(world)
    path = f"/api/deliberation/meetings/{topic.meeting_id}/notice"
    answer = await world.call("GET", path, SIX[0])
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    meeting = await topic.meeting()
    starts = datetime.fromisoformat(meeting["starts"])
    assert f"时间：2026年11月{starts.day}日" in answer.text
    assert f"{starts:%H:%M}" in answer.text
    assert "地点：和平小区议事厅" in answer.text
    people = [str(seat["person"]) for seat in meeting["seats"]]
    assert not [word for word in (*people, "1390", "书记", meeting["door"]) if word in answer.text]
    await (await topic.begin()).act("open", CHAIR)
    tasks = [{"text": "换灯", "grid": U1, "due": DUE}, {"text": "查线路", "department": "HOUSING", "due": DUE}]
    await topic.act("result", CHAIR, kind="resolution", text="物业一周内换灯", tasks=tasks)
    text = (await world.call("GET", path, DESK)).text
    assert "结果：形成决议\n物业一周内换灯" in text
    assert "1. 换灯——1号楼1单元，12月20日前" in text
    assert "2. 查线路——住房和城乡建设局，12月20日前" in text


async def test_case_24_a_meeting_moved_three_times_keeps_its_uid_and_counts_its_moves(world: World) -> None:
    """19:00 saved is 19:00 on the page and in the .ics, and an old code no longer opens the door."""
    await put_policy(world, hours={"from": "19:00", "until": "20:30", "days": "周一至周日"}, slot="5400s")
    topic = await scheduled(world)
    first = await topic.meeting()
    doors, uids, sequences = [first["door"]], set(), []
    for _ in range(3):
        meeting, found = await topic.meeting(), await ics(world, topic)
        (event,) = found.walk("VEVENT")
        assert meeting["starts"][11:] == "19:00:00+08:00"
        assert event["DTSTART"].params["TZID"] == "Asia/Shanghai"
        assert event["DTSTART"].dt.strftime("%Y-%m-%dT%H:%M:%S") == meeting["starts"][:19]
        assert [zone["TZID"] for zone in found.walk("VTIMEZONE")] == ["Asia/Shanghai"]
        assert (found["METHOD"], event["STATUS"]) == ("REQUEST", "CONFIRMED")
        uids.add(str(event["UID"]))
        sequences.append(event["SEQUENCE"])
        if len(sequences) < 3:
            moved = await topic.act("postpone", CHAIR, reason="当事人出差")
            assert moved["starts"] > meeting["starts"]
            doors.append((await topic.meeting())["door"])
    third = await topic.try_act("postpone", CHAIR, reason="又有事")
    assert (third.status_code, problem(third)) == (409, "wrong-state")
    assert "postpone" not in third.json()["can"]
    # The third move is the desk's: planned anew, it goes back to the day that is free again.
    assert (await plan(world, topic=topic.id)).json()["planned"][0]["starts"] == first["starts"]
    (event,) = (await ics(world, topic)).walk("VEVENT")
    assert [*sequences, event["SEQUENCE"]] == [0, 1, 2, 3]
    assert uids == {str(event["UID"])}
    doors.append((await topic.meeting())["door"])
    assert len(set(doors)) == 4
    for door in doors[:3]:
        answer = await topic.try_act("check-in", SIX[0], code=door)
        assert (answer.status_code, answer.json()["errors"][0]["loc"]) == (422, ["body", "code"])
    assert seats(await topic.act("check-in", SIX[0], code=doors[3]))["居民自治组织"]["present"]
    assert [data["sequence"] for data in await events_of(world, topic, "meeting.moved")] == [1, 2, 3]


async def test_a_meeting_that_will_not_take_place_is_taken_out_of_calendars(world: World) -> None:
    topic = await scheduled(world)
    await topic.act("withdraw", DESK, reason="谈好了")
    found = await ics(world, topic)
    (event,) = found.walk("VEVENT")
    assert (found["METHOD"], event["STATUS"], event["SEQUENCE"]) == ("CANCEL", "CANCELLED", 1)
    assert (await topic.meeting())["state"] == "cancelled"
    assert "已取消" in (await world.call("GET", f"/api/deliberation/meetings/{topic.meeting_id}/notice", DESK)).text


async def test_a_meeting_is_reminded_of_once_a_day_before(world: World) -> None:
    topic = await scheduled(world)
    await topic.act("reply", SIX[0], answer="cannot")
    starts = datetime.fromisoformat((await topic.meeting())["starts"])
    await world.at(f"{starts - timedelta(days=1, minutes=1):%Y-%m-%d %H:%M}")
    assert "meeting.reminded" not in await topic.told()
    await world.advance(minutes=2)
    await world.advance(hours=3)
    (told,) = await events_of(world, topic, "meeting.reminded")
    assert [seat["kind"] for seat in told["seats"]][:3] == ["主持", "居民", "业委会"]


async def test_a_reminder_is_not_told_once_the_meeting_has_begun(world: World) -> None:
    topic = await scheduled(world)
    await world.advance(days=5)
    assert "meeting.reminded" not in await topic.told()


# -- replies --------------------------------------------------------------------------------------------------
async def test_a_seat_comes_does_not_come_or_sends_somebody(world: World) -> None:
    topic = await scheduled(world)
    assert seats(await topic.act("reply", SIX[0], answer="come"))["居民自治组织"]["reply"] == "come"
    assert seats(await topic.act("reply", SIX[1], answer="cannot"))["业委会"]["reply"] == "cannot"
    seat = seats(await topic.act("reply", SIX[2], answer="substitute", substitute="P046"))["物业"]
    assert (seat["person"], seat["reply"], seat["substitute"]) == (SIX[2], "substitute", "P046")
    assert seats(await topic.meeting("P046"))["物业"]["substitute"] == "P046", "who comes for somebody may read it"
    booked = await world.rows(
        "SELECT p.no FROM deliberation.bookings b JOIN directory.v1_person p ON p.id = b.who ORDER BY p.no"
    )
    assert [row["no"] for row in booked] == [CHAIR, SIX[0], SIX[3], SIX[4], SIX[5], "P046"]
    seat = seats(await topic.act("reply", SIX[2], answer="come"))["物业"]
    assert (seat["reply"], seat["substitute"]) == ("come", None)
    replies = [(data["answer"], data["substitute"]) for data in await events_of(world, topic, "meeting.replied")]
    assert replies == [
        ("come", None),
        ("cannot", None),
        ("substitute", str(await world.person("P046"))),
        ("come", None),
    ]


async def test_the_resident_replies_like_any_seat(world: World) -> None:
    topic = await (await (await propose(world, await world.report(U1, phone=RESIDENT))).screen()).plan()
    assert seats(await topic.act("reply", RESIDENT, answer="come"))["居民"]["reply"] == "come"


@pytest.mark.parametrize("substitute", [SIX[1], SIX[0], CHAIR, "P999"])
async def test_a_substitute_has_no_seat_yet_and_is_somebody(world: World, substitute: str) -> None:
    topic = await scheduled(world)
    before = await topic.meeting()
    answer = await topic.try_act("reply", SIX[0], answer="substitute", substitute=substitute)
    assert (answer.status_code, answer.json()["errors"][0]["loc"]) == (422, ["body", "substitute"])
    assert {**await topic.meeting(), "now": 0} == {**before, "now": 0}


async def test_nobody_comes_for_two(world: World) -> None:
    topic = await scheduled(world)
    await topic.act("reply", SIX[0], answer="substitute", substitute="P046")
    answer = await topic.try_act("reply", SIX[1], answer="substitute", substitute="P046")
    assert (answer.status_code, answer.json()["errors"][0]["loc"]) == (422, ["body", "substitute"])


@pytest.mark.parametrize("body", [{"answer": "substitute"}, {"answer": "come", "substitute": "P046"}, {"answer": "so"}])
async def test_an_answer_that_is_none_changes_nothing(world: World, body: dict[str, str]) -> None:
    topic = await scheduled(world)
    answer = await topic.try_act("reply", SIX[0], **body)
    assert answer.status_code == 422
    assert seats(await topic.meeting())["居民自治组织"]["reply"] is None


async def test_only_whose_seat_it_is_replies(world: World) -> None:
    topic = await scheduled(world)
    await topic.act("reply", SIX[0], answer="substitute", substitute="P046")
    for who, status in {DESK: 403, "P046": 403, "command": 403, OUTSIDE: 404}.items():
        assert (await topic.try_act("reply", who, answer="come")).status_code == status, who


async def test_a_reply_after_the_door_closed_is_refused(world: World) -> None:
    topic = await (await scheduled(world)).begin()
    await topic.act("reply", SIX[5], answer="come")
    await topic.act("open", CHAIR)
    before = await topic.meeting()
    answer = await topic.try_act("reply", SIX[5], answer="cannot")
    assert (answer.status_code, problem(answer), answer.json()["phase"]) == (409, "wrong-state", "held")
    assert seats(await topic.meeting()) == seats(before)


# -- the door ---------------------------------------------------------------------------------------------------
async def test_one_checks_in_by_the_code_or_the_chair_does_it_on_paper(world: World) -> None:
    topic = await scheduled(world)
    door = (await topic.meeting())["door"]
    await topic.act("reply", SIX[2], answer="substitute", substitute="P046")
    await topic.act("check-in", SIX[0], code=f" {door} ")
    await topic.act("check-in", SIX[0], code=door)
    await topic.act("check-in", "P046", code=door)
    resident = seats(await topic.meeting())["居民"]["person"]
    await topic.act("check-in", CHAIR, person=resident)
    found = await topic.act("check-in", CHAIR, person=SIX[1])
    present = [seat["kind"] for seat in found["seats"] if seat["present"]]
    assert present == ["居民", "居民自治组织", "业委会", "物业"]
    assert found["quorum"] == {"needed": 4, "present": 3}, "the quorum counts the six only"


async def test_who_has_no_seat_does_not_check_in_and_nobody_but_the_chair_for_others(world: World) -> None:
    topic = await scheduled(world)
    door = (await topic.meeting())["door"]
    for who, body, status in (
        (DESK, {"code": door}, 403),
        ("command", {"person": SIX[0]}, 403),
        (OUTSIDE, {"code": door}, 404),
        (SIX[0], {"person": SIX[0]}, 403),
        (CHAIR, {"person": "P046"}, 422),
        (SIX[0], {"code": "000000" if door != "000000" else "000001"}, 422),
        (SIX[0], {}, 422),
        (SIX[0], {"code": door, "person": SIX[0]}, 422),
    ):
        assert (await topic.try_act("check-in", who, **body)).status_code == status, (who, body)
    assert not [seat for seat in (await topic.meeting())["seats"] if seat["present"]]


# -- opening, result ----------------------------------------------------------------------------------------------
async def test_a_meeting_opens_at_its_time_with_four_of_the_six(world: World) -> None:
    topic = await scheduled(world)
    early = await topic.try_act("open", CHAIR)
    assert (early.status_code, problem(early)) == (409, "wrong-state")
    assert "open" not in (await topic.meeting())["can"]
    starts = (await topic.meeting())["starts"]
    await world.at(starts[:19].replace("T", " "))
    for person in (CHAIR, *SIX[:3]):
        await topic.act("check-in", CHAIR, person=person)
    for act, body in (("open", {}), ("result", {"kind": "opinion", "text": "先这样"})):
        refused = await topic.try_act(act, CHAIR, **body)
        assert (refused.status_code, problem(refused)) == (409, "no-quorum")
        assert refused.json()["quorum"] == {"needed": 4, "present": 3}
    await topic.act("check-in", CHAIR, person=SIX[3])
    early = await topic.try_act("result", CHAIR, kind="opinion", text="先这样")
    assert (early.status_code, problem(early)) == (409, "wrong-state")
    opened = await topic.act("open", CHAIR)
    assert (opened["state"], (await topic.get())["state"]) == ("held", "held")
    await topic.act("check-in", CHAIR, person=SIX[4])


@pytest.mark.parametrize("act", ["open", "result", "postpone"])
async def test_only_the_chair_runs_the_meeting(world: World, act: str) -> None:
    topic = await (await scheduled(world)).begin()
    body = {"open": {}, "postpone": {"reason": "改天"}, "result": {"kind": "opinion", "text": "好"}}[act]
    for who, status in {DESK: 403, "P001": 403, SIX[0]: 403, "command": 403, OUTSIDE: 404}.items():
        assert (await topic.try_act(act, who, **body)).status_code == status, who


async def test_a_result_releases_the_case_and_gives_each_task_to_its_owner(world: World) -> None:
    topic = await (await scheduled(world)).begin()
    await topic.act("open", CHAIR)
    tasks = [{"text": "换灯", "grid": U1, "due": DUE}, {"text": "查线路", "department": "HOUSING", "due": DUE}]
    done = await topic.act("result", CHAIR, kind="resolution", text="物业一周内换灯", tasks=tasks)
    assert (done["state"], done["how"], done["result"]) == ("done", "resolution", "物业一周内换灯")
    found = await topic.get()
    assert found["state"] == "done"
    assert [task["kind"] for task in found["tasks"]] == ["case", "whistle"]
    assert (await topic.told())[-4:] == ["meeting.held", "task.made", "task.made", "topic.ended"]
    made = await events_of(world, topic, "task.made")
    assert [(m["task"], m["kind"], m["department"]) for m in made] == [
        (found["tasks"][0]["id"], "case", None),
        (found["tasks"][1]["id"], "whistle", "HOUSING"),
    ]
    assert made[0]["chair"] == str(await world.person(CHAIR))
    assert "物业一周内换灯" not in str(await topic.events())
    await world.settle()
    case = await world.call("GET", f"/api/routing/cases/{made[0]['task']}", "command")
    assert (case.status_code, case.json()["holder"]["id"]) == (200, "P016")


async def test_a_meeting_may_end_without_agreement(world: World) -> None:
    topic = await (await scheduled(world)).begin()
    await topic.act("open", CHAIR)
    done = await topic.act("result", CHAIR, kind="no_agreement", text="各说各的")
    assert (done["how"], (await topic.events())[-1][1]["how"]) == ("no_agreement", "no_agreement")
    again = await topic.try_act("result", CHAIR, kind="opinion", text="还是议了")
    assert (again.status_code, again.json()["phase"]) == (409, "done")
    await world.settle()
    assert (await topic.issue.case())["on_hold"] is None


@pytest.mark.parametrize(
    ("task", "field"),
    [
        ({"text": "换灯", "due": DUE}, None),
        ({"text": "换灯", "due": DUE, "grid": U1, "department": "HOUSING"}, None),
        ({"text": "换灯", "due": DUE, "grid": "150902-01-02"}, "grid"),
        ({"text": "换灯", "due": DUE, "grid": "150902-01"}, "grid"),
        ({"text": "换灯", "due": DUE, "department": "POLICE"}, "department"),
        ({"text": "换灯", "due": "2026-11-01T00:00:00+08:00", "grid": U1}, "due"),
        ({"text": "换灯", "due": "2026-12-20", "grid": U1}, "due"),
        ({"text": " ", "due": DUE, "grid": U1}, "text"),
        ({"text": "换灯", "grid": U1}, "due"),
    ],
)
async def test_a_task_has_an_owner_and_a_day_ahead(world: World, task: dict[str, Any], field: str | None) -> None:
    topic = await (await scheduled(world)).begin()
    await topic.act("open", CHAIR)
    good = {"text": "换灯", "grid": U1, "due": DUE}
    answer = await topic.try_act("result", CHAIR, kind="resolution", text="换", tasks=[good, task])
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["loc"] == ["body", "tasks", 1, *([field] if field else [])]
    assert (await topic.get())["state"] == "held"
    assert await world.scalar("SELECT count(*) FROM deliberation.tasks") == 0


async def test_acts_repeated_with_their_key_give_their_first_answer(world: World) -> None:
    topic = await (await scheduled(world)).begin()
    version = (await topic.get())["version"]
    first = await topic.try_act("open", CHAIR, key="open-1", version=version)
    await topic.act("result", CHAIR, kind="opinion", text="好")
    again = await topic.try_act("open", CHAIR, key="open-1", version=version)
    assert (first.status_code, again.json()) == (200, first.json())


# -- postponing ---------------------------------------------------------------------------------------------------
async def test_a_postponed_meeting_begins_anew(world: World) -> None:
    topic = await scheduled(world)
    await topic.act("reply", SIX[0], answer="substitute", substitute="P046")
    await topic.act("check-in", CHAIR, person=SIX[1])
    before = await topic.meeting()
    moved = await topic.act("postpone", CHAIR, reason="停电")
    assert moved["starts"] >= before["ends"]
    assert (moved["id"], moved["state"], moved["version"]) == (before["id"], "scheduled", before["version"] + 1)
    assert not [seat for seat in moved["seats"] if seat["reply"] or seat["present"] or seat["substitute"]]
    assert await world.scalar("SELECT count(*) FROM deliberation.bookings") == 9
