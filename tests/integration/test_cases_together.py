"""Many hands at one moment: one effect, and a clear answer to everybody else."""

import asyncio
from collections import Counter

from tests.integration.test_cases_acts import kinds
from tests.world import U1, C, World

HANDS = [f"P0{n:02}" for n in (3, 4, 10, 11, 12, 13, 14, 15, 16, 17, 18, 20, 22, 23, 24, 25)]


async def test_sixteen_holders_accept_at_once_and_one_of_them_has_it(world: World) -> None:
    """All of them sit at one desk."""
    await world.reset()
    await world.sql(
        "INSERT INTO directory.post (grid, kind, person) SELECT g.id, 'desk', p.id"
        " FROM directory.grid g, directory.person p WHERE g.code = :code AND p.no = ANY(:hands) ON CONFLICT DO NOTHING",
        code=C,
        hands=HANDS,
    )
    for _ in range(5):
        issue = await world.report(C)
        version = (await issue.case())["version"]
        answers = await asyncio.gather(*(issue.try_act("accept", who, version=version) for who in HANDS))
        assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 15}
        late = [answer.json() for answer in answers if answer.status_code == 409]
        assert {body["type"] for body in late} == {"urn:chuishao:problem:wrong-state"}
        assert all((body["phase"], "resolve" in body["can"]) == ("accepted", True) for body in late)
        assert await kinds(issue) == ["opened", "accepted"]
    await world.sql(
        "DELETE FROM directory.post o USING directory.grid g, directory.person p"
        " WHERE o.grid = g.id AND o.person = p.id AND g.code = :code AND p.no = ANY(:hands)",
        code=C,
        hands=HANDS[2:],
    )


async def test_escalate_clicked_twice_moves_one_level_and_the_second_click_says_so(world: World) -> None:
    await world.reset()
    for _ in range(5):
        issue = await world.report(U1)
        clicks = [issue.try_act("escalate", "P016", version=1, reason="办不了") for _ in range(2)]
        answers = await asyncio.gather(*clicks)
        assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 1}
        (late,) = [answer.json() for answer in answers if answer.status_code == 409]
        assert (late["type"], late["case"]["holder"]["id"]) == ("urn:chuishao:problem:already-moved", "P014")
        assert late["can"] == ["claim"]
        assert await kinds(issue) == ["opened", "escalated"]
