"""Planning: one topic, a week, what is left out and why; and races for rooms and people."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from services.deliberation import planning, telling
from services.deliberation.commands import Wish
from services.deliberation.store import writing
from shared.auth import Principal
from shared.db import make_engine, service_url, transaction
from shared.service import Context
from tests.integration.meetings import CHAIR, DESK, SIX, Topic, plan, policy, problem, propose, put_policy, scheduled
from tests.world import KEYS, U1, C, World

SUBDISTRICT, VILLAGE = "150902-01", "150902-01-02"
ONE_A_WEEK = {"from": "18:30", "until": "21:00", "days": "周一"}


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def _anew(world: World) -> AsyncIterator[None]:
    await world.reset()
    await put_policy(world)
    yield


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def planners(world: World) -> AsyncIterator[Context]:
    """The service with room for 32 planners at once."""
    engine = make_engine(service_url(world.target.postgres, "deliberation", KEYS), pool=32)
    yield Context("deliberation", engine, KEYS, world.target.settings)
    await engine.dispose()


async def left_out(world: World, topic: Topic) -> list[str]:
    answer = await plan(world, topic=topic.id)
    assert answer.status_code == 200, answer.text
    assert answer.json()["planned"] == []
    assert {item["topic"] for item in answer.json()["left_out"]} == {topic.id}
    return [item["why"] for item in answer.json()["left_out"]]


async def test_a_meeting_with_no_other_slot_stays_where_it_is(world: World) -> None:
    topic = await scheduled(world)
    before = await topic.meeting()
    away = {"from": before["ends"], "to": "2027-12-31T00:00:00+08:00"}
    await world.call("PUT", f"/api/directory/people/{CHAIR}/absence", CHAIR, json=away)
    answer = await topic.try_act("postpone", CHAIR, reason="改天")
    assert (answer.status_code, problem(answer), answer.json()["why"]) == (409, "no-slot", "no_slot")
    assert {**await topic.meeting(), "now": 0} == {**before, "now": 0}
    await world.call("DELETE", f"/api/directory/people/{CHAIR}/absence", CHAIR)


async def test_planned_again_a_meeting_moves_only_when_it_has_to(world: World) -> None:
    topic = await scheduled(world)
    before = await topic.meeting()
    (same,) = (await plan(world, topic=topic.id)).json()["planned"]
    assert (same["starts"], same["version"]) == (before["starts"], before["version"])
    for person in SIX[:3]:
        await topic.act("reply", person, answer="cannot")
    (moved,) = (await plan(world, topic=topic.id)).json()["planned"]
    assert moved["starts"] == before["ends"]
    assert (await topic.told())[-1] == "meeting.moved"


# -- one topic ------------------------------------------------------------------------------------------------
async def test_the_earliest_slot_is_after_the_notice_in_the_nearest_room(world: World) -> None:
    topic = await scheduled(world)
    meeting = await topic.meeting()
    assert (meeting["venue"], meeting["starts"], meeting["ends"]) == (
        "V2",
        "2026-11-27T10:30:00+08:00",
        "2026-11-27T12:30:00+08:00",
    )
    other = await scheduled(world, issue=await world.report(f"{C}-L2"))
    assert (await other.meeting())["venue"] == "V1"


async def test_an_urgent_case_meets_after_two_hours(world: World) -> None:
    topic = await scheduled(world, issue=await world.report(U1, "WAT.leak"))
    assert (await topic.meeting())["starts"] == "2026-11-24T12:30:00+08:00"


async def test_a_topic_that_was_not_screened_is_not_planned(world: World) -> None:
    topic = await propose(world)
    answer = await plan(world, topic=topic.id)
    assert (answer.status_code, problem(answer), answer.json()["phase"]) == (409, "wrong-state", "proposed")


async def test_only_a_desk_plans(world: World) -> None:
    topic = await (await propose(world)).screen()
    for who, status in {CHAIR: 403, SIX[0]: 403, "command": 403, "P016": 403, "P006": 404}.items():
        assert (await plan(world, who, topic=topic.id)).status_code == status, who
    assert (await plan(world, "P001", topic=topic.id)).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"topic": "0199a000-0000-7000-8000-000000000000", "week": "2026-W49"},
        {"subdistrict": SUBDISTRICT},
        {"week": "2026-W49"},
        {"subdistrict": SUBDISTRICT, "week": "2026-W54"},
        {"subdistrict": SUBDISTRICT, "week": "next"},
        {"subdistrict": C, "week": "2026-W49"},
        {"subdistrict": "150902-99", "week": "2026-W49"},
    ],
)
async def test_a_plan_that_is_none_is_refused(world: World, body: dict[str, str]) -> None:
    assert (await plan(world, "P002", **body)).status_code == 422


async def test_a_meeting_in_the_past_is_refused(world: World) -> None:
    await (await propose(world)).screen()
    answer = await plan(world, "P002", subdistrict=SUBDISTRICT, week="2026-W47")
    assert (answer.status_code, answer.json()["errors"][0]["loc"]) == (422, ["body", "week"])
    assert await world.scalar("SELECT count(*) FROM deliberation.meetings") == 0


# -- left out, and why ----------------------------------------------------------------------------------------
async def test_without_a_secretary_nobody_chairs(world: World) -> None:
    topic = await (await propose(world)).screen()
    path = f"/api/directory/grids/{C}/posts/secretary"
    assert (await world.call("PUT", path, "admin", json={"person": None})).status_code == 200
    assert await left_out(world, topic) == ["no_chair"]
    assert (await world.call("PUT", path, "admin", json={"person": CHAIR})).status_code == 200


async def test_fewer_seats_than_the_quorum_are_no_meeting(world: World) -> None:
    topic = await (await propose(world)).screen()
    gone = await world.rows(
        "SELECT s.* FROM directory.seat s JOIN directory.person p ON p.id = s.person WHERE p.no = ANY(:people)",
        people=list(SIX[1:]),
    )
    await world.sql("DELETE FROM directory.seat WHERE person = ANY(:who)", who=[row["person"] for row in gone])
    assert await left_out(world, topic) == ["no_quorum"]
    for row in gone:
        await world.sql("INSERT INTO directory.seat (grid, kind, person) VALUES (:grid, :kind, :person)", **row)


async def test_a_room_has_to_hold_everybody(world: World) -> None:
    topic = await (await propose(world)).screen()
    await world.sql("UPDATE directory.venue SET seats = 7 WHERE code = 'V2'")
    assert (await plan(world, topic=topic.id)).json()["planned"][0]["venue"] == "V1"
    other = await (await propose(world)).screen()
    await world.sql("UPDATE directory.venue SET seats = 7 WHERE code = 'V1'")
    assert await left_out(world, other) == ["no_venue"]
    await world.sql("UPDATE directory.venue SET seats = CASE code WHEN 'V1' THEN 40 ELSE 20 END")


async def test_the_owners_committee_that_is_missing_has_a_named_substitute(world: World) -> None:
    """Another of the volunteers sits for it, and the notice of the seat says so."""
    owner, volunteer = await world.person(SIX[1]), await world.person("P046")
    await world.sql(
        "UPDATE directory.seat SET kind = '居民自治组织', person = :new WHERE person = :old", old=owner, new=volunteer
    )
    topic = await scheduled(world)
    seats = [(s["kind"], s["person"], s["filled_by"]) for s in (await topic.meeting())["seats"]]
    assert ("业委会", "P046", "居民自治组织") in seats
    await world.sql(
        "UPDATE directory.seat SET kind = '业委会', person = :old WHERE person = :new", old=owner, new=volunteer
    )


async def test_a_unit_bound_to_the_compound_has_a_standing_seat(world: World) -> None:
    (seat,) = await world.rows("SELECT * FROM directory.seat WHERE kind = '包联单位'")
    await world.sql("DELETE FROM directory.seat WHERE kind = '包联单位'")
    topic = await scheduled(world)
    seats = [(s["kind"], s["person"], s["filled_by"]) for s in (await topic.meeting())["seats"]]
    assert ("包联单位", "P045", None) in seats
    await world.sql("INSERT INTO directory.seat (grid, kind, person) VALUES (:grid, :kind, :person)", **seat)


async def test_whoever_is_complained_of_has_no_seat(world: World) -> None:
    """P041 leads the unit as well; the owners' committee is spoken for by another of the volunteers."""
    path = f"/api/directory/grids/{U1}/posts/leader"
    assert (await world.call("PUT", path, "admin", json={"person": SIX[1]})).status_code == 200
    topic = await scheduled(world, issue=await world.report(U1, about_leader=True))
    assert SIX[1] not in [seat["person"] for seat in (await topic.meeting())["seats"]]
    assert (await world.call("PUT", path, "admin", json={"person": "P016"})).status_code == 200


async def test_who_is_away_is_not_planned_with(world: World) -> None:
    topic = await (await propose(world)).screen()
    away = {"from": "2026-11-20T00:00:00+08:00", "to": "2026-12-10T12:00:00+08:00"}
    for person in SIX[:3]:
        await world.call("PUT", f"/api/directory/people/{person}/absence", person, json=away)
    (meeting,) = (await plan(world, topic=topic.id)).json()["planned"]
    assert meeting["starts"] == "2026-12-10T12:00:00+08:00"
    for person in SIX[:3]:
        await world.call("DELETE", f"/api/directory/people/{person}/absence", person)


async def test_whoever_is_elsewhere_then_may_still_send_somebody(world: World) -> None:
    """Two of the six are in another meeting at that time: they cannot come, and nobody books them twice."""
    first = await scheduled(world)
    starts = (await first.meeting())["starts"]
    await elsewhere(world, first, SIX[:2])
    second = await scheduled(world, issue=await world.report(f"{C}-L2"))
    meeting = await second.meeting()
    assert meeting["starts"] == starts
    assert [seat["reply"] for seat in meeting["seats"] if seat["person"] in SIX[:2]] == ["cannot", "cannot"]
    refused = await second.try_act("reply", SIX[0], answer="come")
    assert (refused.status_code, problem(refused)) == (409, "booked-elsewhere")
    refused = await second.try_act("reply", SIX[2], answer="substitute", substitute="P046")
    assert refused.status_code == 200
    await second.act("reply", SIX[0], answer="substitute", substitute="P017")
    taken = await second.try_act("reply", SIX[3], answer="substitute", substitute="P047")
    assert (taken.status_code, taken.json()["errors"][0]["loc"]) == (422, ["body", "substitute"])


async def elsewhere(world: World, topic: Topic, people: tuple[str, ...]) -> None:
    """Leaves of a meeting's bookings only these people: as if it were another community's."""
    await world.sql(
        "DELETE FROM deliberation.bookings WHERE meeting = :meeting AND who <> ALL"
        " (SELECT id FROM directory.person WHERE no = ANY(:people))",
        meeting=topic.meeting_id,
        people=list(people),
    )


# -- a week -----------------------------------------------------------------------------------------------------
async def test_a_week_is_planned_the_most_pressing_promise_first(world: World) -> None:
    await put_policy(world, hours=ONE_A_WEEK)
    ordinary = await (await propose(world, await world.report(U1))).screen()
    urgent = await (await propose(world, await world.report(U1, "WAT.leak"))).screen()
    unscreened = await propose(world, await world.report(U1))
    done = (await plan(world, "P002", subdistrict=SUBDISTRICT, week="2026-W49")).json()
    assert [(m["topic"], m["starts"]) for m in done["planned"]] == [(urgent.id, "2026-11-30T18:30:00+08:00")]
    assert [(item["topic"], item["why"]) for item in done["left_out"]] == [(ordinary.id, "no_slot")]
    assert done["left_out"][0]["text"]
    assert (await unscreened.get())["state"] == "proposed"
    rest = (await plan(world, "P001", subdistrict=SUBDISTRICT, week="2026-W50")).json()
    assert [(m["topic"], m["starts"]) for m in rest["planned"]] == [(ordinary.id, "2026-12-07T18:30:00+08:00")]


async def test_a_week_is_planned_by_the_subdistrict_or_above(world: World) -> None:
    for who, status in {DESK: 403, "P006": 403, CHAIR: 403, "P002": 200, "P001": 200}.items():
        answer = await plan(world, who, subdistrict=SUBDISTRICT, week="2026-W49")
        assert answer.status_code == status, who


# -- races --------------------------------------------------------------------------------------------------------
async def screened_topics(world: World, count: int) -> list[UUID]:
    """Many topics of one compound at once, as if each had been proposed and screened."""
    rows = await world.rows(
        """WITH c AS (INSERT INTO deliberation.cases (id, number, category, urgency, place, phase, complained)
               SELECT uuidv7(), n::text, 'FAC.light', 'ordinary', g.id, 'accepted', '{}'
                 FROM generate_series(1, :count) n, directory.grid g WHERE g.code = :code RETURNING id)
           INSERT INTO deliberation.topics (case_id, community, title, called, state)
           SELECT c.id, g.id, '灯', '{}', 'screened' FROM c, directory.grid g WHERE g.code = :community
           RETURNING id""",
        count=count,
        code=U1,
        community=C,
    )
    return [row["id"] for row in rows]


async def test_32_planners_race_for_100_slots_and_nobody_is_booked_twice(world: World, planners: Context) -> None:
    """Ten meetings a day on ten days: of 110 topics a hundred find their slot, ten are told that there is none."""
    await put_policy(
        world, hours={"from": "09:00", "until": "19:00", "days": "周一至周日"}, slot="1h", raster="1h", horizon="13d"
    )
    await world.at("2026-11-24 19:00")
    topics = await screened_topics(world, 110)
    desk = Principal(person=await world.person(DESK), no=DESK)
    outcomes: list[dict[str, Any]] = []

    async def planner() -> None:
        while topics:
            id_ = topics.pop()
            outcomes.append(await planning.plan_topic(planners, Wish(desk, None, b""), id_))

    await asyncio.gather(*(planner() for _ in range(32)))
    why = [item["why"] for outcome in outcomes for item in outcome["left_out"]]
    planned = [meeting for outcome in outcomes for meeting in outcome["planned"]]
    assert (len(planned), why) == (100, ["no_slot"] * 10)
    assert len({meeting["starts"] for meeting in planned}) == 100
    twice = await world.rows(
        "SELECT a.who FROM deliberation.bookings a JOIN deliberation.bookings b"
        " ON a.who = b.who AND a.meeting < b.meeting AND a.during && b.during"
    )
    assert twice == []


@asynccontextmanager
async def sharing(world: World, what: str) -> AsyncIterator[str]:
    """Community and village share the subdistrict's room (`room`), or one secretary and no room (`person`); gives who
    is the village's secretary."""
    secretary = "P026" if what == "room" else CHAIR
    await world.sql(
        "INSERT INTO directory.post (grid, kind, person) SELECT g.id, 'secretary', p.id"
        " FROM directory.grid g, directory.person p WHERE g.code = :village AND p.no = :no",
        village=VILLAGE,
        no=secretary,
    )
    await world.sql(
        "INSERT INTO directory.seat (grid, kind, person) SELECT g.id, k.kind, p.id"
        " FROM directory.grid g, unnest(CAST(:kinds AS text[]), CAST(:people AS text[])) k(kind, no)"
        " JOIN directory.person p ON p.no = k.no WHERE g.code = :village",
        village=VILLAGE,
        kinds=["居民自治组织", "业委会", "物业", "社会组织"],
        people=["P010", "P012", "P014", "P018"],
    )
    await world.sql(
        "INSERT INTO directory.venue (code, grid, label, kind, seats, opening)"
        " SELECT 'R1', id, '议事厅', '议事厅', 40, '周一至周日 08:30-20:30' FROM directory.grid WHERE code = :grid",
        grid=SUBDISTRICT if what == "room" else VILLAGE,
    )
    await world.sql("UPDATE directory.venue SET seats = :seats WHERE code <> 'R1'", seats=1 if what == "room" else 40)
    yield secretary
    await world.sql("UPDATE directory.venue SET seats = CASE code WHEN 'V1' THEN 40 ELSE 20 END")
    for table in ("seat", "post"):
        await world.sql(
            f"DELETE FROM directory.{table} WHERE kind <> 'desk'"
            " AND grid = (SELECT id FROM directory.grid WHERE code = :village)",
            village=VILLAGE,
        )
    await world.sql("DELETE FROM directory.venue WHERE code = 'R1'")


class GaveUp(Exception):
    """The first planner's transaction ends without a booking."""


@asynccontextmanager
async def half_planned(planners: Context, id_: str, *, commit: bool) -> AsyncIterator[datetime]:
    """A planner who has booked and not decided yet: gives the slot, and commits or gives up at the end."""
    rules = policy()
    with suppress(GaveUp):
        async with transaction(planners.engine) as conn:
            await writing.lock_topic(conn, UUID(id_))
            topic = await telling.present_topic(conn, UUID(id_))
            assert await planning.schedule(conn, rules, topic, planning.ahead(rules, topic), None) is None
            yield (await telling.present_topic(conn, topic.id)).starts
            if not commit:
                raise GaveUp


@pytest.mark.parametrize(("shared", "commit"), [("room", True), ("person", True), ("room", False)])
async def test_case_25_two_plans_race_for_one_room_or_one_person(
    world: World, planners: Context, shared: str, commit: bool
) -> None:
    """The second waits until the first is decided: then it takes the next slot, or the very one that is free again."""
    async with sharing(world, shared) as secretary:
        first = await (await propose(world)).screen()
        second = await (await propose(world, await world.report(VILLAGE), "P006")).screen(secretary)
        async with half_planned(planners, first.id, commit=commit) as booked:
            waiting = asyncio.create_task(plan(world, "P006", topic=second.id))
            await somebody_waits(world)
        (meeting,) = (await waiting).json()["planned"]
    expected = booked + timedelta(hours=2) if commit else booked
    assert datetime.fromisoformat(meeting["starts"]) == expected


async def somebody_waits(world: World) -> None:
    """Until a statement of deliberation waits for another transaction."""
    async with asyncio.timeout(20):
        while not await world.scalar(
            "SELECT count(*) FROM pg_locks JOIN pg_stat_activity a USING (pid) WHERE NOT granted"
            " AND a.datname = current_database() AND a.usename = 'chuishao_deliberation'"
        ):
            await asyncio.sleep(0.02)
