"""The sandbox's telephones and moods, for tests of what people are told."""

from collections import Counter
from typing import Any
from uuid import UUID

from sandbox.addresses import address_digest
from sandbox.store import Arrived, ledger
from shared.db import transaction
from tests.world import KEYS, Issue, World


async def arrived(world: World, address: str | None = None) -> list[Arrived]:
    """What the sandbox accepted, oldest first: at a telephone or openid, or everywhere."""
    async with transaction(world.owner) as conn:
        return await ledger(conn, None if address is None else [address_digest(KEYS, address)])


async def told_about(world: World, issue: Issue) -> list[Arrived]:
    """What the sandbox accepted about an issue."""
    ids = {UUID(message["id"]) for message in await world.messages(issue)}
    return [entry for entry in await arrived(world) if UUID(entry.out_id) in ids]


async def no_doubles(world: World) -> None:
    """Nobody was sent the same message twice by one channel."""
    count = Counter((entry.channel, UUID(entry.out_id)) for entry in await arrived(world))
    assert [key for key, n in count.items() if n > 1] == []


async def mood(world: World, provider: str, behaviour: str, **more: Any) -> None:
    """Tells a provider of the sandbox how to behave."""
    answer = await world.call(
        "POST", "/sandbox/control", "admin", json={"provider": provider, "behaviour": behaviour, **more}
    )
    assert answer.status_code == 200, answer.text


async def message(world: World, issue: Issue, reason: str, person: str | None = None) -> dict[str, Any]:
    """The one message about an issue for this reason (to this person)."""
    (found,) = [
        m for m in await world.messages(issue) if m["reason"] == reason and (person is None or m["person"] == person)
    ]
    return found


async def withdraw_all(world: World) -> None:
    """Every reporter withdraws, and the providers behave well again."""
    for row in await world.rows("SELECT id FROM routing.cases WHERE phase <> 'closed'"):
        issue = Issue(world, str(row["id"]), "", KEYS.track_code(UUID(str(row["id"]))))
        assert (await issue.try_say("withdraw")).status_code == 200
    for provider in ("alibaba", "wechat"):
        await mood(world, provider, "clear")
    await world.settle()
