"""Policy replay on real records: made by the real ladder and clock, read back, and followed under other hours."""

from typing import Any

import pytest
import pytest_asyncio
import yaml

from services.routing.policy import load, read_source
from tests.world import U1, U2, World

DEFAULT = read_source("default")
NOVEMBER = {"from": "2026-11-01T00:00:00+08:00", "to": "2026-12-01T00:00:00+08:00"}


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def days(world: World) -> None:
    """Four cases: one nobody ever touches, one taken back after its timeout, one asked about and resolved, one handed
    up and held by a whistle."""
    await world.reset()
    await world.report(U1)
    claimed = await world.report(U1)
    asked, whistled = await world.report(U2), await world.report(U1)
    await asked.act("accept", "P018")
    await asked.act("ask", "P018", text="几楼？")
    await world.advance(hours=2)
    await asked.say("reply", text="三楼")
    await whistled.act("escalate", "P016", reason="办不了")
    await world.advance(hours=2, seconds=5)
    await claimed.act("claim", "P016")
    await claimed.act("resolve", "P016", reply="换了")
    version = (await whistled.case())["version"]
    whistle = {"version": version, "occasion": "demand", "lead": "WATER", "assisting": [], "text": "请到场"}
    blown = await world.call("POST", f"/api/routing/cases/{whistled.id}/whistles", "P003", json=whistle)
    assert blown.status_code == 201
    await asked.act("resolve", "P018", reply="好了")
    for _ in range(40):
        await world.advance(hours=1)


async def replay(world: World, source: str, **when: str) -> dict[str, Any]:
    body = {"yaml": source, **NOVEMBER, **when}
    answer = await world.call("POST", "/api/routing/policies/replay", "admin", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def with_terms(**accept: str) -> str:
    body = load("default").body()
    body["urgencies"]["ordinary"]["accept"] |= accept
    return yaml.safe_dump({**body, "name": "other"}, allow_unicode=True)


def kinds(found: dict[str, Any], side: str) -> list[dict[str, int]]:
    names = ("in_time", "late", "silent", "neutral", "open", "unrecorded")
    return [{name: level[name] for name in names if level[name]} for level in found[side]]


async def test_replayed_under_its_own_policy_the_record_is_what_it_was(world: World) -> None:
    found = await replay(world, DEFAULT)
    assert (found["cases"], found["changed"]) == (4, 0)
    assert kinds(found, "replayed") == kinds(found, "recorded")
    for before, after in zip(found["recorded"], found["replayed"], strict=True):
        assert after["load"] == pytest.approx(before["load"], abs=0.001)


async def test_the_record_is_told_by_level(world: World) -> None:
    micro, small, *_ = kinds(await replay(world, DEFAULT), "recorded")
    assert micro == {"in_time": 2, "late": 1, "silent": 1, "neutral": 1}
    assert small == {"silent": 1, "neutral": 2}


async def test_by_longer_hours_the_claim_came_in_time_and_the_silent_stay_silent(world: World) -> None:
    found = await replay(world, with_terms(micro="6h"))
    micro, small, *_ = kinds(found, "replayed")
    assert micro == {"in_time": 2, "silent": 1, "neutral": 1}
    assert small == {"silent": 1, "neutral": 1}
    assert found["replayed"][0]["load"] > found["recorded"][0]["load"]


async def test_by_shorter_hours_a_case_climbs_beyond_its_record(world: World) -> None:
    found = await replay(world, with_terms(micro="30min"))
    assert kinds(found, "replayed")[0]["silent"] == 1
    assert found["changed"] >= 1


async def test_only_cases_opened_in_the_time_asked_for_are_replayed(world: World) -> None:
    assert (await replay(world, DEFAULT, to="2026-11-24T00:00:00+08:00"))["cases"] == 0


async def test_a_replay_changes_nothing(world: World) -> None:
    state = "SELECT md5(string_agg(c::text, '' ORDER BY id)) FROM routing.cases c"
    before = await world.scalar(state), await world.scalar("SELECT count(*) FROM routing.policy")
    await replay(world, with_terms(micro="1h"))
    assert (await world.scalar(state), await world.scalar("SELECT count(*) FROM routing.policy")) == before


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"yaml": DEFAULT.replace("micro: 2h, ", ""), **NOVEMBER}, "micro"),
        ({"yaml": DEFAULT, "from": NOVEMBER["to"], "to": NOVEMBER["from"]}, "body"),
        ({"yaml": DEFAULT, "from": "2026-11-01", "to": NOVEMBER["to"]}, "from"),
        ({"yaml": DEFAULT, "from": "2024-11-01T00:00:00+08:00", "to": NOVEMBER["to"]}, "body"),
    ],
)
async def test_a_bad_replay_is_refused_with_its_field(world: World, body: dict[str, Any], field: str) -> None:
    answer = await world.call("POST", "/api/routing/policies/replay", "admin", json=body)
    assert answer.status_code == 422, answer.text
    assert any(field in error["loc"] for error in answer.json()["errors"])


async def test_a_record_of_years_ago_can_be_replayed(world: World) -> None:
    back = "interval '3 years'"
    await world.sql(f"UPDATE routing.cases SET opened_at = opened_at - {back}")
    await world.sql(f"UPDATE routing.hops SET since = since - {back}, until = until - {back}")
    found = await replay(world, DEFAULT, **{"from": "2023-11-01T00:00:00+08:00", "to": "2023-12-01T00:00:00+08:00"})
    assert found["cases"] == 4
