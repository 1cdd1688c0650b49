"""A real browser before the real system: people sign in on the page, each in a window of their own."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import async_playwright

from tests.web.windows import Windows
from tests.world import World

ROOT = Path(__file__).parents[2]
CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def absent(reason: str) -> None:
    """Skips; under CI=true an absent tool is a failure."""
    (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)


@pytest.fixture(scope="session")
def built() -> Path:
    """The pages as `make web` builds them, with axe-core beside them."""
    done = subprocess.run([sys.executable, "web/build.py"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        absent(f"the pages cannot be built: {done.stderr[-500:]}")
    tools = subprocess.run(
        [sys.executable, "web/build.py", "types"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if tools.returncode:
        absent(f"the pages' tools cannot be installed: {tools.stderr[-500:]}")
    return ROOT / "web"


@pytest.fixture(scope="session")
def chromium() -> str:
    if not CHROMIUM.exists():
        absent("no chromium (apt-get install chromium fonts-noto-cjk)")
    return str(CHROMIUM)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def windows(built: Path, chromium: str, world: World) -> AsyncIterator[Windows]:
    """Windows of one browser on the module's world. What a page asked of another host, or a script that failed,
    fails the test at the end."""
    async with AsyncExitStack() as stack:
        playwright = await stack.enter_async_context(async_playwright())
        browser = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        stack.push_async_callback(browser.close)
        yield Windows(browser, world, built)


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def tidy(windows: Windows) -> AsyncIterator[None]:
    await windows.world.reset()
    yield
    await windows.close()
    assert not windows.strangers, "requests to other hosts"
    assert not windows.faults, "errors of scripts, or of the policy of the pages"
    windows.strangers.clear()
    windows.faults.clear()
