"""What a digit or a button does to a case: routing's half of cases 14 and 34."""

from uuid import UUID

import pytest

from services.routing import replies
from shared.contracts.message import MessageReplied
from shared.db import transaction
from shared.ids import new_id
from tests.world import U1, Issue, World


@pytest.fixture(autouse=True)
async def morning(world: World) -> None:
    await world.reset()


async def press(issue: Issue, act: str, who: UUID, whistle: str | None = None) -> None:
    reply = MessageReplied(
        message=new_id(),
        person=who,
        reason="assigned",
        channel="sms",
        case=UUID(issue.id),
        act=act,
        whistle=UUID(whistle) if whistle else None,
    )
    async with transaction(issue.world.parts.contexts["routing"].engine) as conn:
        await replies.act(conn, UUID(issue.id), reply)
    await issue.world.settle()


async def last_refusal(issue: Issue) -> dict[str, object] | None:
    rows = await issue.world.rows(
        "SELECT data FROM routing.outbox WHERE subject = :id AND type LIKE '%reply-refused%' ORDER BY id",
        id=UUID(issue.id),
    )
    return dict(rows[-1]["data"]) if rows else None


async def test_one_accepts_while_it_is_theirs(world: World) -> None:
    issue = await world.report(U1)
    await press(issue, "accept", await world.person("P016"))
    assert ((await issue.case())["phase"], await issue.holder()) == ("accepted", "P016")


async def test_case_34_one_claims_when_it_has_just_moved_on(world: World) -> None:
    issue = await world.report(U1)
    await issue.act("escalate", "P016", reason="办不了")
    await press(issue, "accept", await world.person("P016"))
    assert ((await issue.case())["phase"], await issue.holder()) == ("accepted", "P016")


async def test_case_14_one_for_a_case_that_has_moved_on_for_good_changes_nothing_and_is_refused(world: World) -> None:
    issue = await world.report(U1)
    await issue.act("escalate", "P016", reason="办不了")
    await issue.act("accept", "P014")
    before = await issue.case()
    await press(issue, "accept", await world.person("P016"))
    after = await issue.case()
    assert (after["version"], after["holder"]) == (before["version"], before["holder"])
    refused = await last_refusal(issue)
    assert refused is not None
    assert (refused["why"], refused["act"]) == ("wrong-state", "accept")


async def test_two_hands_it_up(world: World) -> None:
    issue = await world.report(U1)
    await press(issue, "escalate", await world.person("P016"))
    assert await issue.holder() == "P014"


async def test_the_resident_says_solved_or_not_by_text(world: World) -> None:
    issue = await world.report(U1, phone="13900139001")
    resident = await world.resident("13900139001")
    await issue.act("accept", "P016")
    await issue.act("resolve", "P016", reply="换好了")
    await press(issue, "not_solved", resident)
    assert await issue.holder() == "P014"
    await issue.act("accept", "P014")
    await issue.act("resolve", "P014", reply="真换好了")
    await press(issue, "solved", await world.person("P026"))
    assert (await issue.case())["phase"] == "resolved"
    await press(issue, "solved", resident)
    assert (await issue.case())["closed_how"] == "confirmed"


async def test_an_officers_button_acknowledges_and_reports_in(world: World) -> None:
    issue = await world.report(U1)
    body = {"version": 1, "occasion": "demand", "lead": "WATER", "assisting": [], "text": "请到场"}
    blown = await world.call("POST", f"/api/routing/cases/{issue.id}/whistles", "P003", json=body)
    whistle = blown.json()["id"]
    officer = await world.person("P030")
    for act, state in (("acknowledge", "acknowledged"), ("report_in", "reported_in")):
        await press(issue, act, officer, whistle)
        found = (await world.call("GET", f"/api/routing/whistles/{whistle}", "P030")).json()
        assert found["state"] == state
    assert found["reported_in"]["person"] == "P030"
    await press(issue, "acknowledge", officer, whistle)
    refused = await last_refusal(issue)
    assert refused is not None
    assert refused["act"] == "acknowledge"
