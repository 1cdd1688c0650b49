"""The deliberation part of the rights matrix: a case's topic in the state a request needs, and what is sent."""

from typing import Any
from uuid import UUID

from services.deliberation.door import door_code
from tests.integration.meetings import CHAIR, DESK, SIX, Topic, propose
from tests.world import KEYS, Issue, World

SUBDISTRICT = "150902-01"
BODIES: dict[str, dict[str, Any]] = {
    "POST /api/deliberation/topics": {"title": "楼道灯归谁修"},
    "POST /api/deliberation/topics/{id}/screen": {"decision": "accept"},
    "POST /api/deliberation/topics/{id}/withdraw": {"reason": "谈好了"},
    "POST /api/deliberation/plan": {},
    "POST /api/deliberation/plan#week": {"subdistrict": SUBDISTRICT, "week": "2026-W50"},
    "POST /api/deliberation/meetings/{id}/reply": {"answer": "come"},
    "POST /api/deliberation/meetings/{id}/check-in": {},
    "POST /api/deliberation/meetings/{id}/check-in#others": {"person": SIX[0]},
    "POST /api/deliberation/meetings/{id}/open": {},
    "POST /api/deliberation/meetings/{id}/result": {"kind": "opinion", "text": "再等等"},
    "POST /api/deliberation/meetings/{id}/postpone": {"reason": "停电"},
}
# Whom the body alone tells from others.
BY_BODY = {"POST /api/deliberation/plan#week", "POST /api/deliberation/meetings/{id}/check-in#others"}
BY_BODY_FOR = {("POST /api/deliberation/topics", "desk_elsewhere"), ("POST /api/deliberation/plan", "desk_elsewhere")}
UNVERSIONED = ("topics", "plan", "reply", "check-in")


async def deliberated(world: World, issue: Issue, request: str) -> Topic | None:
    """The topic of a case as `request` needs it; None where there must be none."""
    act = request.partition("#")[0].rpartition("/")[2]
    if request == "POST /api/deliberation/topics":
        return None
    topic = await propose(world, issue)
    if act != "screen":
        await topic.screen()
    if act not in ("screen", "plan"):
        await topic.plan()
    if act in ("open", "result"):
        await _begun(topic)
    if act == "result":
        await topic.act("open", CHAIR)
    return topic


async def _begun(topic: Topic) -> None:
    """Its time has come and four of the six are there. Not by the clock: other cases would move on with it."""
    await topic.world.sql(
        "UPDATE deliberation.meetings SET starts = clock_now() - interval '1 s' WHERE id = :id", id=topic.meeting_id
    )
    for person in SIX[:4]:
        await topic.act("check-in", CHAIR, person=person)


async def body(request: str, issue: Issue, topic: Topic | None) -> dict[str, Any]:
    """What `request` sends about the topic, at its present version."""
    sent = dict(BODIES[request])
    if topic is None:
        return {"case": issue.id, **sent}
    if request.endswith("/plan"):
        sent["topic"] = topic.id
    if request.endswith("/check-in"):
        sent["code"] = door_code(KEYS, UUID(topic.meeting_id), 0)
    if request.partition("#")[0].rpartition("/")[2] not in UNVERSIONED:
        sent["version"] = (await topic.get(DESK))["version"]
    return sent
