"""Demonstration people and their telephones: only beside the sandbox."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import orjson
import pytest
import pytest_asyncio

from sandbox.app import service as sandbox
from sandbox.people_api import _lines
from services.notify.app import service as notify
from services.notify.jobs import change_cards
from shared.auth import read_token
from shared.contracts.whistle import WhistleBlown
from shared.embedded import Endpoints
from shared.runtime import build_app
from shared.service import Context
from shared.settings import Settings
from tests.integration.notifying import LEADER, SMS_ONLY, Notifying, notifying
from tests.integration.test_notify_whistles import OFFICER, whistle
from tests.world import KEYS


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def n(instance: Endpoints) -> AsyncIterator[Notifying]:
    async with notifying(instance) as found:
        yield found


async def people(n: Notifying) -> dict[str, dict[str, Any]]:
    answer = await n.http.get("/sandbox/people")
    assert answer.status_code == 200, answer.text
    return {person["no"]: person for person in answer.json()["items"]}


async def on_phone(n: Notifying, no: str) -> list[dict[str, Any]]:
    answer = await n.http.get("/sandbox/phones", params={"person": no})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def test_everybody_with_a_part_in_the_story_is_there_once_under_a_title(n: Notifying) -> None:
    found = await people(n)
    assert found["P023"] == {
        "no": "P023",
        "title": "小组长",
        "kind": "leader",
        "grid": {"code": "150902-01-01-L1-M2-S1-U1", "label": "河东一排一组"},
    }
    assert found["P016"]["title"] == "单元长"
    assert found["P013"]["title"] == "党员中心户"
    assert found["P032"]["title"] == "城市管理综合执法局 经办人"
    assert {person["kind"] for person in found.values()} == {
        "resident",
        "leader",
        "desk",
        "secretary",
        "seat",
        "department",
        "command",
    }
    assert 25 <= len(found) <= 40
    assert not [person for person in found.values() if set(person) != {"no", "title", "kind", "grid"}], "no addresses"


@pytest.mark.parametrize(
    ("no", "expected"),
    [
        ("P016", {"no": "P016", "role": None, "department": None}),
        ("P032", {"no": "P032", "role": None, "department": "CITY"}),
        ("command", {"no": None, "role": "command", "department": None}),
        ("resident", {"no": None, "role": None, "department": None}),
    ],
)
async def test_one_signs_in_as_any_of_them(n: Notifying, no: str, expected: dict[str, Any]) -> None:
    answer = await n.http.post(f"/sandbox/people/{no}/token")
    token = read_token(KEYS, answer.json()["token"])
    assert {name: getattr(token, name) for name in expected} == expected
    assert (token.person is None) == (no == "command")


async def test_nobody_signs_in_as_somebody_else(n: Notifying) -> None:
    for no in ("P999", "admin", "P025"):  # the last one is real, but not on show
        assert (await n.http.post(f"/sandbox/people/{no}/token")).status_code == 404


async def test_a_telephone_shows_what_arrived_on_it_and_answers(n: Notifying) -> None:
    case = await n.assign(SMS_ONLY)
    await n.run()
    (text,) = await on_phone(n, SMS_ONLY)
    assert (text["channel"], text["person"], text["title"], text["buttons"]) == ("sms", SMS_ONLY, None, [])
    assert text["text"].startswith("【吹哨报到】您好")
    await n.advance(minutes=2)
    answer = await n.http.post(f"/sandbox/phones/{SMS_ONLY}/send", json={"text": "好"})
    assert answer.json() == {"answer": '{"code":0,"msg":"成功"}'}
    await n.run()
    assert "没看懂" in (await on_phone(n, SMS_ONLY))[-1]["text"]
    await n.http.post(f"/sandbox/phones/{SMS_ONLY}/send", json={"text": "1"})
    assert await n.rows("SELECT 1 FROM notify.outbox WHERE subject = :c AND type LIKE '%replied%'", c=case)


async def test_a_card_shows_its_title_and_buttons_until_one_is_pressed(n: Notifying) -> None:
    await whistle(n, WhistleBlown)
    await n.assign(LEADER)
    await n.run()
    wechat = (await on_phone(n, LEADER))[-1]
    assert (wechat["channel"], wechat["title"], wechat["buttons"]) == ("wechat", "有件事等您接", [])
    card = (await on_phone(n, OFFICER))[-1]
    assert (card["channel"], card["title"]) == ("wecom", "吹哨，请来现场")
    assert card["buttons"] == [{"key": "acknowledge", "text": "收到"}, {"key": "report_in", "text": "已到场"}]

    press = {"message": card["id"], "button": "report_in"}
    assert (await n.http.post(f"/sandbox/phones/{LEADER}/click", json=press)).status_code == 404, "not on that one"
    assert (await n.http.post(f"/sandbox/phones/{OFFICER}/click", json=press)).json() == {"ok": True}
    await change_cards(n.notify)
    card = (await on_phone(n, OFFICER))[-1]
    assert (card["buttons"], card["shown"]) == ([], "已点：已到场")
    assert (await n.http.post(f"/sandbox/phones/{OFFICER}/click", json=press)).status_code == 409


async def test_the_stream_tells_of_what_arrives_and_of_nothing_before(n: Notifying) -> None:
    await n.advance(minutes=5)
    lines = _lines(n.sandbox)
    assert await anext(lines) == b": here\n\n"
    coming = asyncio.ensure_future(anext(lines))
    await asyncio.wait([coming], timeout=1.0)
    assert not coming.done()
    await n.assign(SMS_ONLY)
    await n.run()
    async with asyncio.timeout(10):
        told = orjson.loads((await coming).removeprefix(b"data: "))
    assert (told["person"], told["channel"]) == (SMS_ONLY, "sms")
    await lines.aclose()


async def test_with_real_providers_there_is_no_demonstration(n: Notifying) -> None:
    secrets = dict.fromkeys(
        (
            "sms_access_key_secret",
            "wechat_secret",
            "wechat_token",
            "wecom_secret",
            "wecom_token",
            "wecom_aes_key",
        ),
        "x",
    )
    settings = Settings(providers="real", **secrets)  # type: ignore[arg-type]
    for service, paths in (
        (
            sandbox,
            (
                "GET /people",
                "POST /people/P016/token",
                "GET /phones",
                "GET /phones/live",
                "POST /phones/P016/send",
                "POST /phones/P016/click",
                "POST /control",
                "GET /wecom/cgi-bin/gettoken",
                "POST /alibaba/",
            ),
        ),
        (notify, (f"GET /callbacks/sandbox/{n.providers.callback_secret}",)),
    ):
        app = build_app(Context(service.name, n.sandbox.engine, KEYS, settings), service)
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as http:
            for method, _, path in (each.partition(" ") for each in paths):
                assert (await http.request(method, path, json={})).status_code == 404, path


async def test_only_the_sandbox_learns_whose_telephones_these_are(n: Notifying) -> None:
    wrong = n.providers.callback("sandbox")[:-4] + "0000"
    assert (await n.http.get(wrong)).status_code == 404
    assert (await n.http.get(n.providers.callback("sandbox"))).status_code == 200
    assert await n.rows("SELECT 1 FROM vault.opening WHERE purpose = 'sandbox'")
