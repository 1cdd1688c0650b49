"""Topics and meetings as desks, secretaries and seats drive them, for tests."""

from typing import Any

import httpx2

from services.deliberation.policy import Policy, load, use_policy
from shared.db import transaction
from tests.world import U1, Issue, World

DESK, CHAIR, OUTSIDE = "P003", "P005", "P026"
SIX = ("P040", "P041", "P042", "P043", "P044", "P045")


class Topic:
    """A topic through the public interface."""

    def __init__(self, world: World, issue: Issue, id: str) -> None:
        self.world, self.issue, self.id = world, issue, id
        self.meeting_id: str | None = None

    async def get(self, who: str = DESK) -> dict[str, Any]:
        answer = await self.world.call("GET", f"/api/deliberation/topics/{self.id}", who)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def meeting(self, who: str = CHAIR) -> dict[str, Any]:
        answer = await self.world.call("GET", f"/api/deliberation/meetings/{self.meeting_id}", who)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def try_act(self, act: str, who: str, key: str | None = None, **body: Any) -> httpx2.Response:
        """screen, withdraw on the topic; everything else on its meeting. At the present version unless one is given."""
        if act not in ("reply", "check-in"):
            body.setdefault("version", (await self.get("command"))["version"])
        where = f"topics/{self.id}" if act in ("screen", "withdraw") else f"meetings/{self.meeting_id}"
        return await self.world.call("POST", f"/api/deliberation/{where}/{act}", who, key=key, json=body)

    async def act(self, act: str, who: str, **body: Any) -> dict[str, Any]:
        answer = await self.try_act(act, who, **body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def screen(self, who: str = CHAIR) -> "Topic":
        await self.act("screen", who, decision="accept")
        return self

    async def plan(self, who: str = DESK) -> "Topic":
        answer = await plan(self.world, who, topic=self.id)
        assert answer.status_code == 200, answer.text
        assert answer.json()["left_out"] == []
        self.meeting_id = answer.json()["planned"][0]["id"]
        return self

    async def begin(self) -> "Topic":
        """To the time of the meeting, with four of the six and the chair there."""
        meeting = await self.meeting()
        await self.world.at(meeting["starts"][:19].replace("T", " "))
        for person in (CHAIR, *SIX[:4]):
            await self.act("check-in", CHAIR, person=person)
        return self

    async def events(self) -> list[tuple[str, dict[str, Any]]]:
        """What was told of it, in order: (last two words of the type, data)."""
        rows = await self.world.rows(
            "SELECT type, data FROM deliberation.outbox WHERE subject = :id ORDER BY seq", id=self.id
        )
        return [(".".join(row["type"].split(".")[3:5]), row["data"]) for row in rows]

    async def told(self) -> list[str]:
        return [kind for kind, _ in await self.events()]


async def try_propose(world: World, issue: Issue, who: str = DESK, **more: Any) -> httpx2.Response:
    body = {"case": issue.id, "title": "楼道灯归谁修", **more}
    return await world.call("POST", "/api/deliberation/topics", who, json=body)


async def propose(world: World, issue: Issue | None = None, who: str = DESK, **more: Any) -> Topic:
    issue = issue or await world.report(U1)
    answer = await try_propose(world, issue, who, **more)
    assert answer.status_code == 201, answer.text
    return Topic(world, issue, answer.json()["id"])


async def scheduled(world: World, **more: Any) -> Topic:
    return await (await (await propose(world, **more)).screen()).plan()


async def plan(world: World, who: str = DESK, **body: Any) -> httpx2.Response:
    return await world.call("POST", "/api/deliberation/plan", who, json=body)


def problem(answer: httpx2.Response) -> str:
    """The last word of a problem's type."""
    return str(answer.json()["type"]).rpartition(":")[2]


def policy(**changes: Any) -> Policy:
    """The default policy with changes."""
    return Policy.model_validate({**load("default").model_dump(mode="json", by_alias=True), **changes})


async def put_policy(world: World, **changes: Any) -> None:
    async with transaction(world.owner) as conn:
        await use_policy(conn, policy(**changes))
