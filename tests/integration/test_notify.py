"""Telling people, end to end: events of cases in, messages at the sandbox's telephones."""

from collections import Counter
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.integration.phones import arrived, message, mood, no_doubles, told_about, withdraw_all
from tests.world import U1, U2, C, World


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def nothing_left_over(world: World) -> AsyncIterator[None]:
    """Each test begins without open cases, so that nobody is told of another test's."""
    yield
    await withdraw_all(world)


async def test_the_reporter_and_the_holder_are_told_when_a_case_opens(world: World) -> None:
    issue = await world.report(phone="13800138001")

    assert await issue.told() == [("assigned", "P016"), ("received", "resident")]
    (card,) = await arrived(world, "oTEST0016")
    assert card.channel == "wechat"
    (text,) = await arrived(world, "13800138001")
    assert issue.code in text.text


async def test_an_issue_on_which_nobody_acts_makes_exactly_sixteen_messages(world: World) -> None:
    await world.at("2026-11-25 09:00")
    issue = await world.report()
    for when in ("25 12:01", "25 13:01", "25 16:02", "25 17:02", "26 08:03", "26 10:03", "26 16:04", "26 18:04"):
        await world.at(f"2026-11-{when}")
    for when in ("27 12:05", "27 18:05", "30 18:05"):
        await world.at(f"2026-11-{when}")

    told = Counter(await issue.told())
    expected = {("received", "resident"): 1}
    for person in ("P016", "P014", "P012", "P010", "P003", "P004"):
        expected |= {("assigned", person): 1, ("reminder", person): 1}
    expected |= {("supervision", person): 1 for person in ("P001", "P003", "P004")}
    assert told == expected
    assert len(await told_about(world, issue)) == 16
    await no_doubles(world)


async def test_case_26_the_desk_is_told_who_cannot_be_reached(world: World) -> None:
    await world.at("2026-12-01 10:00")
    issue = await world.report(f"{C}-L1-M1-S2-U2")

    assert Counter(await issue.told()) == {
        ("unreachable", "P003"): 1,
        ("unreachable", "P004"): 1,
        ("assigned", "P020"): 1,
        ("received", "resident"): 1,
    }
    assert (await message(world, issue, "unreachable", "P003"))["hop"] == 1
    assert "2号楼2单元的单元长联系不上" in (await arrived(world, "19900000003"))[-1].text


async def test_an_emergency_alarms_the_way_up_by_every_channel_even_at_night(world: World) -> None:
    await world.at("2026-12-02 23:30")
    issue = await world.report(U1, "SAF.gas")

    alarmed = {person for reason, person in await issue.told() if reason == "emergency"}
    assert alarmed == {"P016", "P017", "P014", "P015", "P012", "P013", "P010", "P003", "P004"}
    ids = {m["id"]: m["person"] for m in await world.messages(issue) if m["reason"] == "emergency"}
    channels = {e.channel for e in await told_about(world, issue) if ids.get(e.out_id) == "P016"}
    channels |= {e.channel for e in await arrived(world, "oTEST0016") if e.text.startswith("紧急")}
    assert channels == {"wechat", "sms"}


async def test_case_35_urgent_at_night_rings_at_the_desk_and_no_volunteer_s_telephone(world: World) -> None:
    await world.at("2026-12-03 23:00")
    volunteers = ("oTEST0016", "19900000016", "oTEST0014", "oTEST0012", "oTEST0010")
    before = [len(await arrived(world, phone)) for phone in volunteers]
    issue = await world.report(U1, "WAT.leak")

    told = await issue.told()
    assert {person for reason, person in told if reason == "assigned"} == {"P003", "P004"}
    assert [len(await arrived(world, phone)) for phone in volunteers] == before

    await world.at("2026-12-04 07:00")
    nights = {person for reason, person in await issue.told() if reason == "night"}
    assert {"P016", "P014", "P012", "P010"} <= nights
    assert "夜里" in (await arrived(world, "oTEST0016"))[-1].text


async def test_the_morning_digest_is_one_message_of_what_is_still_true(world: World) -> None:
    await world.at("2026-12-05 23:00")
    before = len(await arrived(world, "19900000018"))
    first, second, gone = [await world.report(U2) for _ in range(3)]
    await gone.say("withdraw")
    assert len(await arrived(world, "19900000018")) == before

    await world.at("2026-12-06 07:00")
    digest = (await arrived(world, "19900000018"))[before:]
    assert len(digest) == 1
    assert first.number in digest[0].text
    assert second.number in digest[0].text
    assert gone.number not in digest[0].text
    assert (await message(world, gone, "assigned"))["state"] == "expired"
    assert (await message(world, first, "assigned"))["issues"] == sorted([first.id, second.id])
    bundled = [m for m in await world.messages(second) if m["reason"] == "assigned"]
    assert {m["state"] for m in bundled} == {"delivered"}


async def test_case_11_four_cases_in_two_minutes_are_one_message_and_one_bundle(world: World) -> None:
    await world.at("2026-12-08 10:00")
    before = len(await arrived(world, "19900000018"))
    first, *rest = [await world.report(U2) for _ in range(4)]
    await rest[0].say("withdraw")
    now = (await arrived(world, "19900000018"))[before:]
    assert [first.number in text.text for text in now] == [True]

    urgent = await world.report(U2, "WAT.leak")
    await world.advance(minutes=1)
    assert [m["state"] for m in await world.messages(urgent) if m["reason"] == "assigned"] == ["delivered"]

    await world.advance(minutes=2)
    bundle = (await arrived(world, "19900000018"))[-1].text
    assert [issue.number in bundle for issue in (first, *rest, urgent)] == [False, False, True, True, False]


async def test_case_31_words_never_reach_a_telephone(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    await world.at("2026-12-09 10:00")
    canary = "李雷家在302，电话13912345678"
    issue = await world.report(text=canary, phone="13800138031")
    await world.advance(hours=5)

    secrets = ("李雷", "302，", "13912345678", "13800138031")
    logged = "".join(capsys.readouterr())
    for entry in await told_about(world, issue):
        assert not [part for part in secrets if part in entry.text + logged]
    stored = await world.rows("SELECT params::text AS p, key FROM notify.message WHERE issue = :i", i=issue.id)
    assert not [row for row in stored if "李雷" in row["p"] or "1380013" in row["p"]]


async def test_the_reply_to_a_resident_at_night_comes_at_once_only_while_they_are_up(world: World) -> None:
    await world.at("2026-12-10 23:00")
    issue = await world.report(f"{C}", phone="13800138032")
    assert (await message(world, issue, "received"))["state"] == "delivered"

    await world.advance(minutes=30)
    await issue.act("accept", "P003")
    assert (await message(world, issue, "accepted"))["state"] == "queued"
    await world.at("2026-12-11 07:00")
    assert (await message(world, issue, "accepted"))["state"] == "delivered"


async def test_only_command_and_admin_read_messages_and_see_no_number(world: World) -> None:
    await world.at("2026-12-14 10:00")
    issue = await world.report(phone="13800138033")
    for who in ("P016", "P003", "auditor"):
        assert (await world.call("GET", f"/api/notify/messages?issue={issue.id}", who)).status_code == 403
    assert (await world.call("GET", f"/api/notify/messages?issue={issue.id}")).status_code == 401
    found = await message(world, issue, "received")
    assert found["to"] == "138****8033"
    assert found["key"] == f"received:{issue.id}:1"
    assert [(a["channel"], a["n"], a["state"]) for a in found["attempts"]] == [("sms", 1, "delivered")]
    bad = await world.call("GET", "/api/notify/messages?cursor=x", "admin")
    assert bad.status_code == 422


async def test_a_slow_telephone_holds_back_no_other(world: World) -> None:
    await world.at("2026-12-15 10:00")
    await mood(world, "wechat", "slow", address="oTEST0016", seconds=2, times=1)
    await world.report(phone="13800138034")
    (text,) = await arrived(world, "13800138034")
    card = (await arrived(world, "oTEST0016"))[-1]
    assert text.at < card.at
