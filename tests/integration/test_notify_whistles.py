"""Whistles and meetings reach the telephones of those they concern; WeCom in every mood; buttons act."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import orjson
import pytest
import pytest_asyncio

from sandbox import wecom as side
from sandbox.domain.safe import encrypt, sign
from sandbox.store import Arrived
from services.notify.channels import base
from services.notify.jobs import change_cards, deliver, find_out
from shared.contracts import meeting as m
from shared.contracts import whistle as w
from shared.embedded import Endpoints
from shared.ids import new_id
from tests.integration.notifying import Notifying, notifying
from tests.world import U1, C

SOON, LATER = "2026-11-24T06:30:00+00:00", "2026-12-01T11:00:00+00:00"
OFFICER, CARD = "P032", "wecom032"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shared(instance: Endpoints) -> AsyncIterator[Notifying]:
    async with notifying(instance) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def n(shared: Notifying) -> AsyncIterator[Notifying]:
    """Each test begins with well-behaved providers, live addresses, and telephones that rested."""
    yield shared
    for provider in ("alibaba", "wechat", "wecom"):
        await shared.mood(provider, "clear")
    await shared.use()
    await shared.rows("UPDATE vault.channel SET dead_at = NULL, dead_reason = NULL")
    await shared.rows("UPDATE notify.message SET state = 'expired', next_attempt_at = NULL WHERE state = 'queued'")
    await shared.advance(days=2)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls time out after half a second."""
    monkeypatch.setattr(base, "TIMEOUT", 0.5)


async def whistle(n: Notifying, kind: type[w.WhistleEvent], case: UUID | None = None, **more: Any) -> UUID:
    """A whistle's event: by the community's desk for the unit's leak, CITY leads. Returns the case."""
    case = case or new_id()
    given: dict[str, Any] = {
        "whistle": case,
        "number": "20261124-00001",
        "category": "WAT.leak",
        "place": await n.grid(U1),
        "occasion": "demand",
        "state": "blown",
        "lead": "CITY",
        "desk": await n.grid(C),
        "report_in_by": SOON,
        "result_by": SOON,
        "confirm_by": SOON,
    }
    await n.hear(case, kind(**(given | more)), more.pop("seq", 1))
    return case


async def told(n: Notifying, case: UUID) -> dict[str, tuple[str, str]]:
    """Who was told: number → (reason, channel)."""
    rows = await n.rows(
        "SELECT p.no, m.reason, m.state, a.channel FROM notify.message m"
        " JOIN directory.v1_person p ON p.id = m.person"
        " LEFT JOIN notify.attempt a ON a.message = m.id AND a.state = 'delivered' WHERE m.issue = :case",
        case=case,
    )
    return {row["no"]: (row["reason"], row["channel"]) for row in rows}


async def card(n: Notifying, case: UUID, user: str = CARD) -> Arrived:
    """The one card of a case at a member's."""
    rows = await n.rows("SELECT id FROM notify.message WHERE issue = :case", case=case)
    ids = {str(row["id"]) for row in rows}
    (found,) = [entry for entry in await n.at_phone(user) if entry.out_id in ids]
    return found


async def shown(n: Notifying, entry: Arrived) -> tuple[list[str], str | None]:
    """The buttons a card has now, and what stands in their place."""
    (row,) = await n.rows("SELECT buttons, shown FROM sandbox.card WHERE ledger = :id", id=entry.id)
    return [each["text"] for each in row["buttons"]], row["shown"]


async def replies(n: Notifying, case: UUID) -> list[dict[str, Any]]:
    rows = await n.rows(
        "SELECT seq, data FROM notify.outbox WHERE subject = :case AND type LIKE '%message.replied%' ORDER BY id",
        case=case,
    )
    return [dict(row["data"]) | {"seq": row["seq"]} for row in rows]


# -- who ------------------------------------------------------------------------------------------------------
async def test_a_blown_whistle_reaches_every_officer_by_wecom(n: Notifying) -> None:
    case = await whistle(n, w.WhistleBlown, lead="WATER", assisting=["CITY", "HOUSING"])
    await n.run()
    assert await told(n, case) == dict.fromkeys(("P030", "P031", "P032", "P033"), ("whistle", "wecom"))
    lead, assisting = await card(n, case, "wecom030"), await card(n, case, "wecom032")
    assert lead.text == (
        "吹哨，请来现场\n事项：漏水\n编号：20261124-00001\n地点：和平小区1号楼1单元\n时限：14:30前\n牵头：水务局"
    )
    assert await shown(n, lead) == (["收到", "已到场"], None)
    assert await shown(n, assisting) == ([], None), "who assists only reads"
    assert {kind for kind, _ in await n.events(case)} == {"delivered"}


async def test_case_30_one_rejected_address_of_three_departments_holds_back_no_other(n: Notifying) -> None:
    await n.mood("wecom", "refuse", code="invaliduser", address="wecom032")
    await n.mood("alibaba", "refuse", code="isv.MOBILE_NUMBER_ILLEGAL", address="19900000032")
    case = await whistle(n, w.WhistleBlown, lead="WATER", assisting=["CITY", "HOUSING"])
    await n.run()
    states = await n.rows(
        "SELECT p.no, m.state FROM notify.message m JOIN directory.v1_person p ON p.id = m.person"
        " WHERE m.issue = :case",
        case=case,
    )
    assert {row["no"]: row["state"] for row in states} == {
        "P030": "delivered",
        "P031": "delivered",
        "P032": "failed",
        "P033": "delivered",
    }


@pytest.mark.parametrize(
    ("kind", "more", "people", "reason"),
    [
        (w.WhistleReturned, {"returns": 1}, {"P032"}, "whistle-returned"),
        (w.WhistleOverdue, {"overdue": "red"}, {"P032"}, "whistle-overdue"),
        (w.WhistleReportedIn, {}, {"P003", "P004"}, "reported-in"),
        (w.WhistleResulted, {}, {"P003", "P004"}, "result"),
        (w.WhistleSupervised, {"why": "report_in"}, {"P001", "P003", "P004"}, "supervision"),
        (w.WhistleDecided, {"outcome": "reassign", "former_lead": "WATER"}, {"P032"}, "whistle"),
    ],
)
async def test_each_event_of_a_whistle_reaches_whom_it_concerns(
    n: Notifying, kind: type[w.WhistleEvent], more: dict[str, Any], people: set[str], reason: str
) -> None:
    case = await whistle(n, kind, **more)
    await n.run()
    found = await told(n, case)
    assert set(found) == people
    assert {told_for for told_for, _ in found.values()} == {reason}
    assert None not in {channel for _, channel in found.values()}


async def test_an_event_that_comes_twice_tells_once(n: Notifying) -> None:
    case = await whistle(n, w.WhistleBlown)
    await whistle(n, w.WhistleBlown, case)
    await n.run()
    assert len(await n.rows("SELECT 1 FROM notify.message WHERE issue = :case", case=case)) == 1


async def test_a_meeting_is_told_to_the_seats_the_chair_and_the_residents(n: Notifying) -> None:
    case, people = new_id(), ("P005", "P040", "P042", "P018")
    chair, *seats = [await n.person(no) for no in people]
    (venue,) = await n.rows("SELECT id FROM directory.v1_venue WHERE code = 'V1'")
    given: dict[str, Any] = {
        "case": case,
        "number": "20261124-00002",
        "category": "PARK.block",
        "state": "scheduled",
        "community": await n.grid(C),
        "meeting": new_id(),
        "sequence": 1,
        "venue": venue["id"],
        "starts": LATER,
        "ends": LATER,
        "chair": chair,
        "seats": [m.Invited(kind="居民", person=person) for person in seats],
    }
    topic = new_id()
    await n.hear(topic, m.MeetingScheduled(**given))
    await n.run()
    assert {no: reason for no, (reason, _) in (await told(n, case)).items()} == dict.fromkeys(people, "invitation")
    text = (await n.at_phone("19900000018"))[-1].text
    assert "19:00，在" in text
    assert "乱停车堵路" in text
    await n.advance(minutes=5)
    await n.hear(topic, m.MeetingHeld(**given, kind="resolution"), seq=2)
    await n.run()
    assert "大家商量定了" in (await n.at_phone("19900000018"))[-1].text


# -- WeCom ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("code", ["invaliduser", "unlicenseduser", "60111", "81013"])
async def test_a_member_who_is_none_is_told_by_text_and_not_tried_again(n: Notifying, code: str) -> None:
    await n.mood("wecom", "refuse", code=code, address=CARD, times=1)
    first = await whistle(n, w.WhistleBlown)
    await n.run()
    assert await told(n, first) == {OFFICER: ("whistle", "sms")}
    await n.advance(minutes=5)
    second = await whistle(n, w.WhistleBlown)
    await n.run()
    assert await told(n, second) == {OFFICER: ("whistle", "sms")}


async def test_a_refused_token_is_fetched_anew_once(n: Notifying) -> None:
    await whistle(n, w.WhistleBlown)
    await n.run()
    await n.rows("UPDATE sandbox.token SET digest = 'x', expires_at = now() - interval '1 s'")
    case = await whistle(n, w.WhistleBlown)
    await n.run()
    assert await told(n, case) == {OFFICER: ("whistle", "wecom")}


async def test_a_busy_wecom_is_tried_three_times_and_then_a_text_goes(n: Notifying) -> None:
    await n.mood("wecom", "refuse", code="-1", address=CARD)
    case = await whistle(n, w.WhistleBlown)
    for _ in range(4):
        await n.run()
        await n.advance(seconds=16)
    assert await told(n, case) == {OFFICER: ("whistle", "sms")}


@pytest.mark.usefixtures("hurried")
async def test_case_12_after_a_time_out_a_used_task_id_says_that_the_card_was_sent(n: Notifying) -> None:
    await n.use(retry={"tries": 3, "pause": "0.1s"})
    await n.mood("wecom", "timeout_after_accept", seconds=1, address=CARD, times=1)
    case = await whistle(n, w.WhistleBlown)
    await deliver(n.notify)
    (row,) = await n.rows("SELECT id FROM notify.message WHERE issue = :case", case=case)
    assert await n.rows("SELECT state FROM notify.attempt WHERE message = :id", id=row["id"]) == [{"state": "unknown"}]
    for _ in range(100):
        if await told(n, case) == {OFFICER: ("whistle", "wecom")}:
            break
        await asyncio.sleep(0.05)
        await find_out(n.notify)
    assert await told(n, case) == {OFFICER: ("whistle", "wecom")}
    assert await card(n, case), "one card only"


async def test_no_receipt_of_wecom_is_waited_for(n: Notifying) -> None:
    case = await whistle(n, w.WhistleBlown)
    await n.run()
    await n.advance(hours=1)
    await n.run()
    assert await n.events(case) == [("delivered", 1)]
    assert await n.rows(
        "SELECT a.channel FROM notify.attempt a JOIN notify.message m ON m.id = a.message WHERE m.issue = :case",
        case=case,
    ) == [{"channel": "wecom"}]


async def test_more_than_thirty_cards_a_minute_go_by_text_or_later_instead_of_being_thrown_away(n: Notifying) -> None:
    cases = [await whistle(n, w.WhistleBlown) for _ in range(33)]
    cards, texts = len(await n.at_phone(CARD)), len(await n.at_phone("19900000032"))

    async def gone() -> tuple[int, int]:
        await n.run()
        return len(await n.at_phone(CARD)) - cards, len(await n.at_phone("19900000032")) - texts

    assert await gone() == (30, 1)
    await n.advance(seconds=61)
    assert await gone() == (32, 1)
    assert {(await told(n, case))[OFFICER] for case in cases} == {("whistle", "wecom"), ("whistle", "sms")}


async def test_what_the_limit_forgets_wecom_throws_away_silently(n: Notifying) -> None:
    """The sandbox does as WeCom does; that is why we count ourselves."""
    before = len(await n.at_phone(CARD))
    await n.rows(
        "INSERT INTO sandbox.ledger (provider, channel, address, sealed, template, params, text, out_id, ref, state)"
        " SELECT provider, channel, address, sealed, template, params, text, '', ref, state FROM sandbox.ledger"
        " CROSS JOIN generate_series(1, 30) WHERE id = (SELECT max(id::text)::uuid FROM sandbox.ledger"
        " WHERE channel = 'wecom' AND address = (SELECT address FROM sandbox.ledger l WHERE l.id = :like))",
        like=(await n.at_phone(CARD))[-1].id,
    )
    await whistle(n, w.WhistleBlown)
    await n.run()
    assert len(await n.at_phone(CARD)) == before + 30


# -- buttons --------------------------------------------------------------------------------------------------
async def test_a_pressed_button_acts_once_and_the_card_shows_it(n: Notifying) -> None:
    case = await whistle(n, w.WhistleBlown)
    await n.run()
    found = await card(n, case)
    await side.press(n.sandbox, found.id, "acknowledge")
    (reply,) = await replies(n, case)
    assert reply == {
        "message": found.out_id,
        "person": str(await n.person(OFFICER)),
        "reason": "whistle",
        "channel": "wecom",
        "hop": None,
        "case": str(case),
        "act": "acknowledge",
        "mark": None,
        "whistle": str(case),
        "seq": 2,
    }
    await change_cards(n.notify)
    assert await shown(n, found) == (["已到场"], None), "what comes next can still be pressed"
    await side.press(n.sandbox, found.id, "report_in")
    await change_cards(n.notify)
    assert await shown(n, found) == ([], "已点：已到场")
    assert [reply["act"] for reply in await replies(n, case)] == ["acknowledge", "report_in"]
    with pytest.raises(side.NoButton):
        await side.press(n.sandbox, found.id, "report_in")


async def test_a_callback_that_comes_again_acts_once(n: Notifying) -> None:
    case = await whistle(n, w.WhistleBlown)
    await n.run()
    found = await card(n, case)
    message = side.event(n.sandbox, CARD, found.out_id, "report_in", "code")
    assert [await side.call_back(n.sandbox, message) for _ in range(3)] == [200] * 3
    assert len(await replies(n, case)) == 1


async def test_another_member_s_press_and_a_button_of_nobody_s_do_nothing(n: Notifying) -> None:
    case = await whistle(n, w.WhistleBlown)
    await n.run()
    found = await card(n, case)
    for user, task, button in (
        ("wecom030", found.out_id, "report_in"),
        (CARD, found.out_id, "confirm"),
        (CARD, str(new_id()), "report_in"),
        (CARD, "no id at all", "report_in"),
    ):
        assert await side.call_back(n.sandbox, side.event(n.sandbox, user, task, button, "code")) == 200
    assert await replies(n, case) == []


async def test_a_change_of_a_card_that_fails_is_tried_again_and_a_used_code_is_not(n: Notifying) -> None:
    case = await whistle(n, w.WhistleBlown)
    await n.run()
    found = await card(n, case)
    await side.press(n.sandbox, found.id, "report_in")
    await n.rows("UPDATE sandbox.token SET digest = 'x'")  # and gettoken gives the same one: refused twice
    await n.rows("UPDATE notify.token SET expires_at = now() - interval '1 s'")
    await change_cards(n.notify)
    assert await n.rows("SELECT tries, next_at FROM notify.card_update WHERE next_at IS NOT NULL") == []
    assert await shown(n, found) == (["收到", "已到场"], None)
    await n.rows("DELETE FROM sandbox.token")
    await n.rows("UPDATE notify.card_update SET next_at = now() WHERE message = :id", id=UUID(found.out_id))
    await change_cards(n.notify)
    assert await shown(n, found) == ([], "已点：已到场")


async def test_wecom_s_question_is_answered_and_nobody_else_s(n: Notifying) -> None:
    given = n.providers
    echostr = encrypt(given.wecom_aes_key, given.wecom_corpid, b"1616140317555161061", b"x" * 16)
    query = {"timestamp": "1", "nonce": "2", "echostr": echostr}
    signed = query | {"msg_signature": sign(given.wecom_token, "1", "2", echostr)}
    echo = await n.http.get(given.callback("wecom"), params=signed)
    assert (echo.status_code, echo.text) == (200, "1616140317555161061")
    assert (await n.http.get(given.callback("wecom"), params=query)).status_code == 404
    assert (await n.http.post(given.callback("wecom"), params=signed, content=b"<xml/>")).status_code == 404
    assert (await n.http.post(given.callback("wecom"), params=signed, content=b"{")).status_code == 400
    assert (await n.http.get(given.callback("wecom")[:-4] + "0000", params=signed)).status_code == 404


async def test_the_sandbox_refuses_what_wecom_refuses(n: Notifying) -> None:
    given = n.providers
    base_url = f"{given.wecom_url}/cgi-bin"
    wrong = {"corpid": given.wecom_corpid, "corpsecret": "no"}
    assert (await n.http.get(f"{base_url}/gettoken", params=wrong)).json()["errcode"] == 40001
    right = wrong | {"corpsecret": given.wecom_secret}
    token = (await n.http.get(f"{base_url}/gettoken", params=right)).json()["access_token"]
    button = {"key": "a", "text": "好"}
    good = {"card_type": "button_interaction", "main_title": {"title": "x"}, "task_id": "t-1", "button_list": [button]}

    async def send(card: Any, token: str = token, **more: Any) -> int:
        body = {"touser": "u", "msgtype": "template_card", "agentid": given.wecom_agentid, "template_card": card}
        answer = await n.http.post(
            f"{base_url}/message/send", params={"access_token": token}, content=orjson.dumps(body | more)
        )
        return int(answer.json()["errcode"])

    assert await send(good, token="no") == 40014
    assert await send(good, agentid=1) == 40056
    for bad in (None, {}, good | {"task_id": "汉字"}, good | {"button_list": []}, good | {"card_type": "text_notice"}):
        assert await send(bad) == 40058, bad
    assert await send(good) == 0
    assert await send(good) == 42014
    body = {"agentid": given.wecom_agentid, "userids": ["u"], "response_code": "no", "button": {"replace_name": "x"}}
    changed = await n.http.post(
        f"{base_url}/message/update_template_card", params={"access_token": token}, content=orjson.dumps(body)
    )
    assert changed.json()["errcode"] == 60140
