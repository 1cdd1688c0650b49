"""Every page, on a telephone and on a desk, light and dark, with large type: nothing against WCAG 2.2 AA, nothing too
heavy. With CHUISHAO_SCREENS=FOLDER each is also kept as a picture."""

import gzip
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page

from tests.web.windows import PHONE, WIDE, Windows
from tests.world import U1, U2

MOST_SCRIPT = 150 * 1024
SCREENS = os.environ.get("CHUISHAO_SCREENS")
LOOKS: dict[str, dict[str, Any]] = {
    "phone": {"size": PHONE},
    "wide": {"size": WIDE},
    "dark": {"size": PHONE, "color_scheme": "dark"},
    "elder": {"size": PHONE},
}


class Walk:
    """Pages in one look; what axe finds on the way."""

    def __init__(self, windows: Windows, look: str) -> None:
        self._windows, self._look = windows, look
        self.found: list[str] = []

    async def person(self, who: str) -> Page:
        page = await self._windows.sign_in(who, **LOOKS[self._look])
        return await self._as_wanted(page)

    async def anybody(self, path: str) -> Page:
        return await self._as_wanted(await self._windows.open(path, **LOOKS[self._look]))

    async def _as_wanted(self, page: Page) -> Page:
        if self._look == "elder":
            await page.get_by_role("button", name="大字").click()
        return page

    async def see(self, page: Page, name: str) -> None:
        await page.wait_for_load_state("load")
        await page.wait_for_timeout(700)  # for what is fetched to be drawn; a stream never lets the network be idle
        self.found += await self._windows.violations(page)
        if not await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"):
            self.found.append(f"{name}: wider than the screen")
        if SCREENS:
            await page.screenshot(path=f"{SCREENS}/{name}-{self._look}.png")


@pytest.mark.parametrize("look", LOOKS)
async def test_every_page_is_there_for_everybody(windows: Windows, look: str) -> None:
    world = windows.world
    walk = Walk(windows, look)
    light = await world.report(U1, phone="13912365010", text="三楼的楼道灯不亮了，晚上看不见台阶")
    sewage = await world.report(U2, "WAT.sewage", phone="13912365011", text="一楼下水道反味，地上有水")
    exit_ = await world.report(U1, "SAF.exit", phone="13912365012", text="楼道里堆了旧自行车和纸箱，过不去人")
    done = await world.report(U2, phone="13912365013", text="单元门口的灯晚上不亮")
    await done.act("accept", "P018")
    await done.act("resolve", "P018", reply="换了新灯泡，您看看")
    version = (await sewage.case())["version"]
    whistle = {
        "version": version,
        "occasion": "demand",
        "lead": "WATER",
        "text": "请到1号楼2单元：下水道反味，地上有水",
    }
    blown = await world.call("POST", f"/api/routing/cases/{sewage.id}/whistles", "P003", json=whistle)
    assert blown.status_code == 201, blown.text
    meeting = await _meeting(windows, exit_.id)

    page = await walk.anybody("/")
    await walk.see(page, "sign-in")
    await page.goto(f"/r/{U1}")
    await page.get_by_label("一两句话就行").fill("三楼王大爷家门口的灯不亮了，电话13800138000")
    await page.get_by_label("手机号").fill("13912365010")
    await walk.see(page, "report")
    await page.get_by_role("button", name="换地方").click()
    await walk.see(page, "place")
    await page.goto(f"/i/{light.id}?code={light.code}")
    await walk.see(page, "climb")
    await page.goto(f"/i/{done.id}?code={done.code}")
    await walk.see(page, "solved")
    await page.get_by_role("button", name="解决了", exact=True).click()
    await walk.see(page, "stars")
    await page.goto("/phones")
    await walk.see(page, "phones")
    await page.goto("/no-such-page")
    await walk.see(page, "nowhere")

    page = await walk.person("resident")
    await page.goto(f"/r/{U1}")
    await page.get_by_label("一两句话就行").fill("楼道里有煤气味")
    await walk.see(page, "emergency")
    page = await walk.person("P016")
    await walk.see(page, "leader")
    await page.goto(f"/leader/{light.id}")
    await walk.see(page, "leader-case")
    await page.get_by_role("button", name="往上报").last.click()
    await walk.see(page, "leader-reasons")
    page = await walk.person("P003")
    await walk.see(page, "desk")
    await page.goto(f"/desk/{light.id}")
    await page.get_by_role("button", name="吹哨", exact=True).click()
    await walk.see(page, "desk-whistle")
    await page.goto(f"/desk/{sewage.id}")
    await walk.see(page, "desk-case")
    await page.goto("/meetings")
    await walk.see(page, "meetings")
    await page.goto(f"/meeting/{meeting}")
    await walk.see(page, "meeting")
    await page.get_by_role("button", name="投影", exact=True).click()
    await walk.see(page, "projector")
    page = await walk.person("P030")
    await walk.see(page, "department")
    await page.goto(f"/department/{blown.json()['id']}")
    await walk.see(page, "department-whistle")
    await page.get_by_role("button", name="已到场").click()
    await walk.see(page, "department-report-in")
    assert walk.found == []


async def _meeting(windows: Windows, case: str) -> str:
    world = windows.world
    topic = await world.call(
        "POST", "/api/deliberation/topics", "P003", json={"case": case, "title": "楼道堆物怎么清", "n": []}
    )
    assert topic.status_code == 201, topic.text
    id_, version = topic.json()["id"], topic.json()["version"]
    screened = await world.call(
        "POST", f"/api/deliberation/topics/{id_}/screen", "P005", json={"version": version, "decision": "accept"}
    )
    assert screened.status_code == 200, screened.text
    await world.settle()
    planned = await world.call("POST", "/api/deliberation/plan", "P003", json={"topic": id_})
    assert planned.status_code == 200, planned.text
    await world.settle()
    return str((await world.call("GET", f"/api/deliberation/topics/{id_}", "P003")).json()["meeting"])


async def test_a_residents_first_view_is_light(windows: Windows) -> None:
    page = await windows.open("/no-such-page")
    scripts: set[str] = set()
    page.on("request", lambda request: scripts.add(request.url) if request.resource_type == "script" else None)
    await page.goto(f"/r/{U1}")
    await page.get_by_label("一两句话就行").fill("灯不亮")
    await page.wait_for_timeout(500)
    bodies = [(await windows.world.http.get(url)).content for url in scripts]
    total = sum(len(gzip.compress(body)) for body in bodies)
    print(f"resident's first view: {total / 1024:.1f} KiB of JavaScript, gzip")
    assert 0 < total <= MOST_SCRIPT


async def test_pages_let_nothing_from_elsewhere_in(windows: Windows) -> None:
    http = windows.world.http
    page = await http.get("/leader/anything")
    assert page.status_code == 200
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cache-control"] == "no-cache"
    script = page.text.split('src="')[1].split('"')[0]
    assert "immutable" in (await http.get(script)).headers["cache-control"]
    for path in ("/api/nobody", "/assets/none.js", "/../pyproject.toml", "/%2e%2e/pyproject.toml"):
        answer = await http.get(path)
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


def test_the_pages_logic(built: Path) -> None:
    """What is plain TypeScript is tested there (Vitest)."""
    done = subprocess.run([sys.executable, "web/build.py", "test"], cwd=built.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
