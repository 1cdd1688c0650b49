"""Answers by text and by button, end to end: what a telephone sends becomes an act, once, or a polite refusal."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from sandbox import wecom
from sandbox.commands import set_frequency
from sandbox.inbound import send_from_phone
from services.notify import policies
from services.notify.commands import use_policy
from shared.db import transaction
from shared.embedded import Endpoints
from shared.providers import providers
from tests.integration.phones import arrived, told_about, withdraw_all
from tests.world import KEYS, U1, U2, Issue, World
from tests.world import world as make_world

P018, P014, RESIDENT = "19900000018", "19900000014", "13800138041"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(instance: Endpoints) -> AsyncIterator[World]:
    """The default policy without the pauses between texts, so that an answer comes while one looks."""
    async with make_world(instance) as found:
        async with transaction(found.owner) as conn:
            body = {**policies.named("default"), "frequency": None, "bundling": "0s"}
            await use_policy(conn, body)
            await set_frequency(conn, per_minute=None, per_day=None)
        yield found


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def fresh(world: World) -> AsyncIterator[None]:
    """A working day, ten o'clock, nothing open; what a mark meant is long over."""
    await world.at("2026-11-24 10:00")
    yield
    await withdraw_all(world)
    await world.sql("DELETE FROM notify.question")
    await world.sql("DELETE FROM notify.inbound")
    await world.sql("UPDATE notify.message SET created_at = created_at - interval '2 days' WHERE reason = 'reply'")


async def text(world: World, phone: str, words: str, sequence: str | None = None) -> str:
    """Sends words from a telephone; returns what came back, or nothing."""
    before = len(await arrived(world, phone))
    answer = await send_from_phone(providers(world.target.settings, KEYS), phone, words, sequence)
    assert answer == '{"code":0,"msg":"成功"}'
    await world.settle()
    return "\n".join(entry.text for entry in (await arrived(world, phone))[before:])


async def mark(world: World, phone: str, issue: Issue) -> str:
    """The two digits that the last text about an issue gave."""
    (entry,) = [e for e in (await arrived(world, phone))[-3:] if issue.number in e.text][-1:]
    found = re.search(r"回1(\d\d)", entry.text)
    assert found
    return found[1]


async def hand(issue: Issue) -> tuple[str, str, bool]:
    """Phase, holder, and whether the case is accepted."""
    case = await issue.case()
    return case["phase"], case["holder"]["id"], case["accepted_at"] is not None


# -- leaders --------------------------------------------------------------------------------------------------
async def test_one_takes_the_case_and_the_answer_says_so(world: World) -> None:
    issue = await world.report(U2)
    answer = await text(world, P018, "1")
    assert await hand(issue) == ("accepted", "P018", True)
    assert "归您了" in answer
    assert issue.number in answer
    assert ("reply", "P018") in await issue.told()


async def test_two_hands_it_up(world: World) -> None:
    issue = await world.report(U2)
    answer = await text(world, P018, f"2{await mark(world, P018, issue)}")
    assert await hand(issue) == ("assigned", "P014", False)
    assert "已经转给楼栋长" in answer


async def test_a_text_that_comes_twice_acts_once(world: World) -> None:
    issue = await world.report(U2)
    assert "归您了" in await text(world, P018, "1", "4711")
    assert await text(world, P018, "1", "4711") == ""
    assert [event for event, _ in await issue.told()].count("reply") == 1


async def test_a_leader_who_reads_it_in_wechat_may_answer_by_text(world: World) -> None:
    issue = await world.report(U1)
    assert "归您了" in await text(world, "19900000016", "1")
    assert await hand(issue) == ("accepted", "P016", True)


async def test_case_14_a_bare_digit_with_two_open_questions_changes_nothing_and_lists_both(world: World) -> None:
    first, second = [await world.report(U2) for _ in range(2)]
    marks = {issue.number: await mark(world, P018, issue) for issue in (first, second)}
    assert len(set(marks.values())) == 2
    answer = await text(world, P018, "1")
    for number, digits in marks.items():
        assert f"{number}（{digits}）" in answer
    assert [await hand(issue) for issue in (first, second)] == [("assigned", "P018", False)] * 2

    assert second.number in await text(world, P018, f"1{marks[second.number]}")
    assert await hand(first) == ("assigned", "P018", False)
    assert await hand(second) == ("accepted", "P018", True)
    assert "归您了" in await text(world, P018, "1"), "one question is left: the digit alone is enough again"
    assert await hand(first) == ("accepted", "P018", True)


async def test_case_14_a_digit_for_a_case_that_has_moved_on_is_politely_refused(world: World) -> None:
    issue = await world.report(U2)
    digits = await mark(world, P018, issue)
    await world.advance(hours=4)
    await issue.act("accept", "P014")
    for words in ("1", f"1{digits}", f"2{digits}"):
        answer = await text(world, P018, words)
        assert "楼栋长已经接了，不用您跑了" in answer, words
        assert "没有改动" in answer
        assert await hand(issue) == ("accepted", "P014", True)


async def test_case_14_what_means_nothing_is_answered_five_times(world: World) -> None:
    issue = await world.report(U2)
    answers = [await text(world, P018, f"好的，我{n}点去看看") for n in range(7)]
    assert [bool(answer) for answer in answers] == [True] * 5 + [False] * 2
    assert "没看懂" in answers[0]
    assert await hand(issue) == ("assigned", "P018", False)
    assert "归您了" in await text(world, P018, "1"), "what means something is still heard"
    kept = await world.rows("SELECT content FROM notify.inbound ORDER BY at")
    assert [row["content"] for row in kept] == [""] * 7 + ["1"], "words are not kept"


async def test_case_34_the_willing_leader_s_text_a_minute_late_takes_the_case_back(world: World) -> None:
    issue = await world.report(U2)
    await world.advance(hours=4, minutes=1)
    assert await hand(issue) == ("assigned", "P014", False)
    assert "归您了" in await text(world, P018, "1")
    assert await hand(issue) == ("accepted", "P018", True)
    assert ("accepted", "resident") in await issue.told()


async def test_a_digit_from_a_telephone_that_was_never_asked_is_told_so_and_a_stranger_s_is_not(world: World) -> None:
    await world.resident("13800138077")
    assert "没有等您回的事" in await text(world, "13800138077", "1")
    assert await text(world, "13800138078", "1") == ""


async def test_a_mark_of_nobody_s_changes_nothing(world: World) -> None:
    issue = await world.report(U2)
    digits = int(await mark(world, P018, issue))
    other = 10 if digits != 10 else 11
    answer = await text(world, P018, f"1{other}")
    assert f"（{digits}）" in answer
    assert await hand(issue) == ("assigned", "P018", False)


# -- residents ------------------------------------------------------------------------------------------------
async def resolved(world: World) -> Issue:
    issue = await world.report(U2, phone=RESIDENT)
    await issue.act("accept", "P018")
    await issue.act("resolve", "P018", reply="换了灯泡")
    return issue


async def test_a_resident_s_one_closes_the_case(world: World) -> None:
    issue = await resolved(world)
    (asked,) = [e.text for e in await arrived(world, RESIDENT) if "解决了吗" in e.text and issue.number in e.text]
    assert f"回1{await mark(world, RESIDENT, issue)}是解决了" in asked
    assert "谢谢您" in await text(world, RESIDENT, "1")
    case = await issue.case()
    assert (case["phase"], case["closed_how"]) == ("closed", "confirmed")


async def test_a_resident_s_two_sends_it_on_and_says_to_whom(world: World) -> None:
    issue = await resolved(world)
    answer = await text(world, RESIDENT, "2")
    assert "已经转给楼栋长" in answer
    assert await hand(issue) == ("assigned", "P014", False)
    assert "已经结了" not in await text(world, RESIDENT, "1"), "nothing more is done by a digit alone"
    assert await hand(issue) == ("assigned", "P014", False)


async def test_an_answer_to_one_s_own_text_is_not_held_at_night(world: World) -> None:
    await resolved(world)
    await world.at("2026-11-24 23:30")
    assert "谢谢您" in await text(world, RESIDENT, "1")


async def test_words_of_a_text_are_found_nowhere(world: World) -> None:
    issue = await resolved(world)
    await text(world, RESIDENT, "李雷家302还是黑的")
    everything = [e.text for e in await told_about(world, issue)]
    everything += [str(dict(row)) for row in await world.rows("SELECT * FROM notify.inbound")]
    everything += [str(dict(row)) for row in await world.rows("SELECT data FROM notify.outbox")]
    assert not [line for line in everything if "李雷" in line]


# -- departments ----------------------------------------------------------------------------------------------
async def blown(world: World) -> tuple[Issue, dict[str, Any]]:
    issue = await world.report("150902-01-01", category="WAT.leak")
    body = {"occasion": "demand", "lead": "CITY", "assisting": [], "text": "请来看一眼"}
    answer = await issue.try_act("whistles", "P003", **body)
    assert answer.status_code == 201, answer.text
    await world.settle()
    return issue, dict(answer.json())


async def state(world: World, whistle: dict[str, Any]) -> str:
    answer = await world.call("GET", f"/api/routing/whistles/{whistle['id']}", "P003")
    return str(answer.json()["state"])


async def test_buttons_of_a_card_acknowledge_the_whistle_and_report_in(world: World) -> None:
    issue, whistle = await blown(world)
    card = (await arrived(world, "wecom032"))[-1]
    context = world.parts.contexts["sandbox"]
    await wecom.press(context, card.id, "acknowledge")
    await world.settle()
    assert await state(world, whistle) == "acknowledged"
    await world.run_jobs()
    await wecom.press(context, card.id, "report_in")
    await world.settle()
    assert await state(world, whistle) == "reported_in"
    assert ("reported-in", "P003") in await issue.told()


async def test_a_button_that_comes_too_late_is_refused_by_wecom(world: World) -> None:
    _, whistle = await blown(world)
    card = (await arrived(world, "wecom032"))[-1]
    answer = await world.call(
        "POST",
        f"/api/routing/whistles/{whistle['id']}/withdraw",
        "P003",
        json={"version": whistle["version"], "reason": "不用了"},
    )
    assert answer.status_code == 200, answer.text
    await wecom.press(world.parts.contexts["sandbox"], card.id, "report_in")
    await world.settle()
    assert await state(world, whistle) == "withdrawn"
    assert "吹哨已经变了" in (await arrived(world, "wecom032"))[-1].text
