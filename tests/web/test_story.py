"""The whole story, by five people who sit side by side and never reload."""

import re
import time

import pytest
from playwright.async_api import Locator, Page, expect

from tests.web.windows import PHONE, WIDE, Windows
from tests.world import U1

WORDS = "三楼的下水道反味，地上有水"


async def report(page: Page, words: str = WORDS) -> str:
    """Reports from the door's code; gives the issue's id."""
    await page.get_by_label("一两句话就行").fill(words)
    await page.get_by_role("button", name="发送").click()
    await page.wait_for_url(re.compile("/i/"))
    found = re.search("/i/([0-9a-f-]+)", page.url)
    assert found
    return found[1]


def item(page: Page, words: str = WORDS) -> Locator:
    return page.get_by_role("link").filter(has_text=words)


@pytest.mark.parametrize("size", [PHONE, WIDE], ids=["phone", "wide"])
async def test_five_people_side_by_side_walk_the_whole_story(windows: Windows, size: dict[str, int]) -> None:
    resident = await windows.sign_in("resident", size=size)
    unit = await windows.sign_in("P016", size=size)
    building = await windows.sign_in("P014", size=size)
    desk = await windows.sign_in("P003", size=size)
    department = await windows.sign_in("P030", size=size)
    for page in (unit, building):
        await expect(page.get_by_text("现在没有要办的事")).to_be_visible()

    await resident.goto(f"/r/{U1}")
    id_ = await report(resident)
    await expect(item(unit)).to_be_visible()
    await expect(resident.get_by_text("1号楼1单元 单元长")).to_be_visible()

    # The unit's leader hands it up, and the building's gets it.
    await item(unit).click()
    await unit.get_by_role("button", name="往上报").click()
    await unit.get_by_role("button", name="我们几个人办不了").click()
    await expect(unit.get_by_text("还是我来办")).to_be_visible()
    await item(building).click()
    await building.get_by_role("button", name="我来办").last.click()
    await expect(resident.get_by_text("有人在办了")).to_be_visible()

    # It is said to be done, and is not.
    await building.get_by_label("居民会看到这句话").fill("通了，您看看")
    await building.get_by_role("button", name="办好了，去告诉居民").click()
    await expect(resident.get_by_role("heading", name="解决了吗？")).to_be_visible()
    await resident.get_by_role("button", name="没解决").click()
    await expect(resident.get_by_text("和平小区 小区长", exact=True)).to_be_visible()

    # The desk blows the whistle, the department comes.
    await desk.goto(f"/desk/{id_}")
    await desk.get_by_role("button", name="吹哨", exact=True).click()
    await desk.get_by_role("button", name="吹响").click()
    await expect(resident.get_by_text("已经吹哨")).to_be_visible()
    await department.get_by_role("link").filter(has_text=WORDS).click()
    await department.get_by_role("button", name="收到", exact=True).click()
    await department.get_by_role("button", name="已到场").click()
    await department.get_by_role("dialog").get_by_role("button", name="已到场").click()
    await department.get_by_role("button", name="交结果").click()
    await department.get_by_role("dialog").get_by_role("textbox").fill("疏通了，换了一段管")
    await department.get_by_role("dialog").get_by_role("button", name="交结果").click()
    await desk.get_by_role("button", name="确认办好了").click()

    # Whoever blew must close it; then the resident has the last word.
    await desk.get_by_role("button", name="办完了怎么说？").click()
    await desk.get_by_role("dialog").get_by_role("button", name="修好了，您看看").click()
    await desk.get_by_role("button", name="办好了，去告诉居民").click()
    await resident.get_by_role("button", name="解决了", exact=True).click()
    await resident.get_by_role("button", name="很满意").click()
    await expect(resident.get_by_text("谢谢您")).to_be_visible()
    assert (await windows.world.call("GET", f"/api/routing/cases/{id_}", "command")).json()["closed_how"] == "confirmed"


async def test_a_leaders_page_shows_a_new_case_within_two_seconds_without_a_reload(windows: Windows) -> None:
    leader = await windows.sign_in("P016")
    await expect(leader.get_by_text("现在没有要办的事")).to_be_visible()
    await leader.evaluate("window.notReloaded = true")
    took = []
    for turn in range(3):  # of three the middle one counts: a machine may be busy once
        words = f"第{turn + 1}盏灯不亮了"
        began = time.monotonic()
        body = {"category": "FAC.light", "text": words, "place": {"grid": U1}, "phone": "13912365004"}
        assert (await windows.world.http.post("/api/intake/issues", json=body)).status_code == 201
        await expect(item(leader, words)).to_be_visible()
        took.append(time.monotonic() - began)
    print(f"shown after {', '.join(f'{each:.2f}' for each in took)} s")
    assert sorted(took)[1] < 2
    assert await leader.evaluate("window.notReloaded")


async def test_an_answer_from_a_telephone_moves_the_case(windows: Windows) -> None:
    phones = await windows.open("/phones", size=WIDE)
    resident = await windows.sign_in("resident")
    await resident.goto("/r/150902-01-01-L1-M1-S1-U2")
    await report(resident, "楼道灯不亮了")
    phone = phones.get_by_role("article", name="1号楼2单元 单元长")
    await expect(phone.get_by_text("楼道灯").or_(phone.get_by_text("回复")).first).to_be_visible()
    await phone.get_by_role("button", name=re.compile("1$")).click()
    await expect(resident.get_by_text("有人在办了")).to_be_visible()


async def test_a_meeting_fills_up_to_its_quorum(windows: Windows) -> None:
    issue = await windows.world.report(U1, category="SAF.exit", phone="13912365001")
    desk = await windows.sign_in("P003", size=WIDE)
    await desk.goto(f"/desk/{issue.id}")
    await desk.get_by_role("button", name="开会商量").click()
    await desk.get_by_role("button", name="交书记看").click()
    secretary = await windows.sign_in("P005")
    await secretary.get_by_role("button", name="开会", exact=True).click()
    await desk.goto("/meetings")
    await desk.get_by_role("button", name="排会").click()
    await desk.wait_for_url(re.compile("/meeting/"))
    await expect(desk.get_by_text("还差 4 方")).to_be_visible()
    owner = await windows.sign_in("P041")
    await owner.goto(desk.url)
    await owner.get_by_role("button", name="我来", exact=True).click()
    await expect(desk.get_by_role("row", name=re.compile("业委会")).get_by_text("来", exact=True)).to_be_visible()
    await secretary.goto(desk.url)
    for kind in ("居民自治组织", "业委会", "物业", "社会组织"):
        await secretary.get_by_role("button", name=f"{kind} 签到").click()
        await expect(secretary.get_by_role("row", name=re.compile(kind)).get_by_text("✓ 到了")).to_be_visible()
    await expect(desk.get_by_text("人够了，可以开")).to_be_visible()
