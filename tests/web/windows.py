"""Windows of a browser, and what tests do with them."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, Page, expect

from tests.world import World

expect.set_options(timeout=8_000)
PHONE = {"width": 390, "height": 844}
WIDE = {"width": 1440, "height": 900}
EXPECTED = ("Failed to load resource", "net::ERR_INTERNET_DISCONNECTED")
"""What a browser writes of an answer that is a refusal, or none: pages are meant to bear it."""
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


class Windows:
    """People side by side: each window is a browser context of its own, so nobody shares anything."""

    def __init__(self, browser: Browser, world: World, web: Path) -> None:
        self._browser = browser
        self.world = world
        self.base = str(world.http.base_url).rstrip("/")
        self._axe = (web / "node_modules" / "axe-core" / "axe.min.js").read_text()
        self._open: list[BrowserContext] = []
        self.strangers: list[str] = []
        self.faults: list[str] = []

    async def open(self, path: str = "/", *, size: dict[str, int] | None = None, **options: Any) -> Page:
        context = await self._browser.new_context(
            base_url=self.base, viewport=size or PHONE, locale="zh-CN", timezone_id="Asia/Shanghai", **options
        )
        self._open.append(context)
        page = await context.new_page()
        page.on("request", lambda request: self._look(request.url))
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", lambda line: self._hear(line.type, line.text))
        await page.goto(path)
        return page

    async def sign_in(self, who: str, *, size: dict[str, int] | None = None, **options: Any) -> Page:
        """On the page of demonstration people, by the title they are called by there."""
        page = await self.open("/", size=size, **options)
        await page.locator(f"[data-person='{who}']").click()
        await page.wait_for_url(lambda url: urlsplit(url).path != "/")
        return page

    async def violations(self, page: Page) -> list[str]:
        """What axe-core finds against WCAG 2.2 AA."""
        # As a script of the page's own the policy would refuse it, as it should: so it is put in from outside.
        await page.evaluate(self._axe)
        found = await page.evaluate("(rules) => axe.run(document, { runOnly: rules })", RULES)
        return [
            f"{urlsplit(page.url).path} {each['id']}: {node['target']} {node['failureSummary']}"
            for each in found["violations"]
            for node in each["nodes"]
        ]

    async def close(self) -> None:
        for context in self._open:
            await context.close()
        self._open.clear()

    def _look(self, url: str) -> None:
        if not url.startswith((self.base, "blob:", "about:")):
            self.strangers.append(url)

    def _hear(self, kind: str, text: str) -> None:
        if kind == "error" and not any(known in text for known in EXPECTED):
            self.faults.append(text)
