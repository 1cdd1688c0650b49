"""Every service against its own OpenAPI document, by schemathesis: whatever is asked and whoever asks, nothing fails,
and no answer is one that the document does not name."""

import asyncio
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from chuishao.wiring import SERVICES
from tests.integration.meetings import propose, scheduled
from tests.world import U1, U2, C, World

ROOT = Path(__file__).parents[2]
PHONE = "13912390001"
CALLERS = {
    "resident": PHONE,
    "leader": "P016",
    "desk": "P003",
    "department": "department:WATER",
    "command": "command",
    "admin": "admin",
}
LEAST = 20_000
TIMES = 50
"""Cases an operation and caller; a quarter as many again that are wrong on purpose."""
PARTS = 2
WHISTLE = {"occasion": "demand", "lead": "WATER", "assisting": ["CITY"], "text": "请到场看一看"}


def mount(name: str) -> str:
    return "/sandbox" if name == "sandbox" else f"/api/{name}"


async def known(world: World) -> dict[str, list[str]]:
    """Something of everything that a path can name."""
    issues = [await world.report(place, phone=PHONE) for place in (U1, U1, U2, C, C)]
    whistle = await world.call(
        "POST",
        f"/api/routing/cases/{issues[3].id}/whistles",
        "P003",
        json={"version": (await issues[3].case())["version"], **WHISTLE},
    )
    assert whistle.status_code == 201, whistle.text
    topics = [await propose(world), await scheduled(world)]
    return {
        "cases": [issue.id for issue in issues],
        "whistles": [whistle.json()["id"]],
        "topics": [topic.id for topic in topics],
        "meetings": [topics[1].meeting_id or ""],
        "grids": [C, U1, U2],
        "places": [C, U1],
        "people": ["P016", "P026", "P040"],
    }


async def shoot(asked: dict[str, Any]) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.integration.shooting"]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    answer, _ = await process.communicate(json.dumps(asked).encode())
    assert process.returncode == 0
    return dict(json.loads(answer))


async def test_whatever_is_asked_nothing_fails_and_no_answer_is_undocumented(world: World) -> None:
    things = await known(world)
    asked = {
        "base": world.target.base_url,
        "tokens": {name: await world.token(who) for name, who in CALLERS.items()},
        "known": things,
        "mounts": [mount(service.name) for service in SERVICES],
        "times": TIMES,
        "parts": PARTS,
    }
    began = time.monotonic()
    found = await asyncio.gather(*(shoot({**asked, "part": part}) for part in range(PARTS)))
    answers = sum((Counter(each["answers"]) for each in found), Counter[str]())
    seconds = time.monotonic() - began
    print(f"{answers.total()} cases in {seconds:.0f} s, {answers.total() / seconds:.0f}/s: {dict(answers)}")
    faults = {what: why for each in found for what, why in each["faults"].items()}
    assert not faults, "\n\n".join(f"{what}\n{why}" for what, why in faults.items())
    assert answers.total() >= LEAST


@pytest.mark.parametrize("path", ["livez", "readyz", "metrics", "openapi.json", "nothing"])
@pytest.mark.parametrize("service", [service.name for service in SERVICES])
async def test_what_is_in_no_document_makes_browsers_careful_too(world: World, service: str, path: str) -> None:
    answer = await world.http.get(f"{mount(service)}/{path}")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-frame-options"] == "DENY"
    assert "geolocation=()" in answer.headers["permissions-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert "strict-transport-security" not in answer.headers
