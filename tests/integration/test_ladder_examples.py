"""The worked examples of docs/ladder.md are what happens in the seed district."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from shared.embedded import Endpoints
from tests.world import Issue, World
from tests.world import world as make_world

PAGE = Path(__file__).parents[2] / "docs" / "ladder.md"
PLACE = "150902-01-01"
LIGHT = "`FAC.light` (ordinary)"
AWAY = {"from": "2026-11-24T00:00:00+08:00", "to": "2026-11-30T00:00:00+08:00"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def seed(instance: Endpoints) -> AsyncIterator[World]:
    async with make_world(instance, district="seed") as found:
        yield found


async def climb(world: World, issue: Issue) -> str:
    """Its hops in words, after so long that it stands at the community's desk."""
    case = await issue.case()
    while case["holder"]["kind"] != "desk":
        await world.advance(hours=12)
        case = await issue.case()
    return " → ".join(
        f"{hop['level']} –" if hop["skipped"] else f"{hop['level']} {hop['holder']['id']}" for hop in case["hops"]
    ).replace(f"community {PLACE}", "community desk")


def skipped_first(case: dict[str, object]) -> str | None:
    hops = case["hops"]
    assert isinstance(hops, list)
    return next((hop["skipped"] for hop in hops if hop["skipped"]), None)


def row(reason: str | None, reported: str, climbed: str) -> str:
    return f"| {f'`{reason}`' if reason else '–'} | {reported} | {climbed} |"


@pytest.mark.parametrize(
    ("reason", "grid", "who", "what", "when", "told"),
    [
        (None, "L1-M1-S1-U1", None, "FAC.light", "10:00", f"{LIGHT} at `…-L1-M1-S1-U1`, where everybody is"),
        (None, "L1-M2-S2-U1", "J00331", "FAC.light", "10:00",
         f"{LIGHT} at `…-L1-M2-S2-U1` by its leader J00331: the party post beside him is not recused"),
        ("vacant", "L1-M3-S2-U3", None, "FAC.light", "10:00", f"{LIGHT} at `…-L1-M3-S2-U3`, in a building and a"
         " compound without posts"),
        ("unreachable", "L1-M2-S1-U3", None, "FAC.light", "10:00",
         f"{LIGHT} at `…-L1-M2-S1-U3`, whose leader J00328 has no channel"),
        ("same_person", "L2-M1-S3-U2", None, "FAC.light", "10:00",
         f"{LIGHT} at `…-L2-M1-S3-U2`, whose leader J00365 leads the building as well"),
        ("recused", "L1-M1-S1-U2", "J00319", "FAC.light", "10:00",
         f"{LIGHT} at `…-L1-M1-S1-U2` by its leader J00319, with nobody beside her"),
        ("absent", "L1-M1-S1-U3", None, "FAC.light", "10:00",
         f"{LIGHT} at `…-L1-M1-S1-U3`, whose leader J00320 is away without a stand-in"),
        ("night", "L1-M1-S1-U4", None, "WAT.leak", "23:00",
         "`WAT.leak` (urgent) at `…-L1-M1-S1-U4`, at eleven in the evening"),
    ],
)  # fmt: skip
async def test_an_example_of_the_page_is_what_happens(
    seed: World, reason: str | None, grid: str, who: str | None, what: str, when: str, told: str
) -> None:
    await seed.reset(f"2026-11-24 {when}")
    if reason == "absent":
        answer = await seed.call("PUT", "/api/directory/people/J00320/absence", "J00320", json=AWAY)
        assert answer.status_code == 200, answer.text
    issue = await seed.report(f"{PLACE}-{grid}", what, who=who)
    climbed = await climb(seed, issue)
    assert skipped_first(await issue.case()) == reason
    assert row(reason, told, climbed) in PAGE.read_text().splitlines(), row(reason, told, climbed)
