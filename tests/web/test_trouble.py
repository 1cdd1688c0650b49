"""What goes wrong between a page and the system, and what people see of it."""

import re

from playwright.async_api import Page, Route, expect

from tests.web.windows import WIDE, Windows
from tests.world import U1


async def fill(page: Page, words: str = "楼道灯不亮了，晚上看不见台阶") -> None:
    await page.get_by_label("一两句话就行").fill(words)
    await page.get_by_label("手机号").fill("13912365002")


async def issues(windows: Windows) -> int:
    return int(await windows.world.scalar("SELECT count(*) FROM intake.issue"))


async def test_a_report_written_without_a_network_is_sent_when_there_is_one(windows: Windows) -> None:
    page = await windows.open(f"/r/{U1}")
    await expect(page.get_by_text("1号楼1单元")).to_be_visible()
    await page.context.set_offline(True)
    await fill(page)
    await page.get_by_role("button", name="发送").click()
    await expect(page.get_by_text("已存在手机里，有网会自动发").first).to_be_visible()
    await page.context.set_offline(False)
    await page.wait_for_url(re.compile("/i/"))
    await expect(page.get_by_text("1号楼1单元 单元长")).to_be_visible()
    assert await issues(windows) == 1


async def test_a_report_whose_answer_was_lost_is_one_report(windows: Windows) -> None:
    page = await windows.open(f"/r/{U1}")
    lost = 0

    async def lose(route: Route) -> None:
        nonlocal lost
        lost += 1
        if lost > 1:
            await route.continue_()
            return
        await route.fetch()  # it arrives; its answer does not
        await route.abort()

    await page.route("**/api/intake/issues", lose)
    await fill(page)
    await page.get_by_role("button", name="发送").click()
    await expect(page.get_by_text("已存在手机里").first).to_be_visible()
    await page.wait_for_url(re.compile("/i/"), timeout=15_000)
    assert lost == 2
    assert await issues(windows) == 1


async def test_a_case_that_somebody_else_took_is_told_kindly(windows: Windows) -> None:
    issue = await windows.world.report(U1)
    page = await windows.sign_in("P016")
    button = page.get_by_role("button", name="我来办")
    await expect(button).to_be_visible()
    # The page is cut off from news while the desk acts on the leader's behalf.
    await page.route("**/api/routing/live", lambda route: route.abort())
    await page.route("**/api/routing/cases?**", lambda route: route.abort())
    await issue.act("escalate", "P016", reason="不归我管")
    await button.click()
    await expect(page.get_by_text("和平小区1号楼 楼栋长刚接了这件事，不用您跑了")).to_be_visible()
    assert (await issue.case())["holder"]["id"] == "P014"


async def test_a_double_tap_acts_once(windows: Windows) -> None:
    issue = await windows.world.report(U1)
    page = await windows.sign_in("P016")
    await page.get_by_role("button", name="我来办").dblclick()
    await expect(page.get_by_text("您接了")).to_be_visible()
    await expect(page.get_by_text("这件事刚刚")).to_have_count(0)
    kinds = await windows.world.rows("SELECT kind FROM routing.history WHERE case_id = :id", id=issue.id)
    assert [row["kind"] for row in kinds].count("accepted") == 1


async def test_the_way_back_is_the_browsers_own(windows: Windows) -> None:
    await windows.world.report(U1)
    page = await windows.sign_in("P016")
    await page.get_by_role("link").filter(has_text="楼道灯不亮了").click()
    await expect(page).to_have_url(re.compile("/leader/.+"))
    await page.go_back()
    await expect(page).to_have_url(re.compile("/leader$"))
    await expect(page.get_by_role("button", name="我来办")).to_be_visible()


async def test_gas_shows_the_telephones_first(windows: Windows) -> None:
    page = await windows.open(f"/r/{U1}")
    await page.get_by_label("一两句话就行").fill("楼道里有煤气味")
    sheet = page.get_by_role("dialog", name="先打电话，人先离开")
    await expect(sheet.get_by_role("link", name=re.compile("119"))).to_have_attribute("href", "tel:119")
    await sheet.get_by_role("button", name="打过了，再报给社区").click()
    await expect(sheet).to_have_count(0)


async def test_names_and_telephones_in_the_words_are_pointed_out(windows: Windows) -> None:
    page = await windows.open(f"/r/{U1}")
    await page.get_by_label("一两句话就行").fill("王大爷家门口的灯不亮了，电话13800138000")
    await expect(page.locator("mark")).to_have_text(["王大爷", "13800138000"])
    await expect(page.get_by_text("单元长会看到")).to_be_visible()
    await page.get_by_role("button", name="去掉").last.click()
    await expect(page.locator("mark")).to_have_text(["王大爷"])
    await expect(page.get_by_label("一两句话就行")).to_have_value("王大爷家门口的灯不亮了，电话")


async def test_the_desk_is_worked_by_keys(windows: Windows) -> None:
    issue = await windows.world.report(U1)
    page = await windows.sign_in("P003", size=WIDE)
    await expect(page.get_by_role("link").filter(has_text="楼道灯不亮了")).to_be_visible()
    await page.keyboard.press("j")
    await expect(page).to_have_url(re.compile(issue.id))
    await expect(page.get_by_role("button", name="我来办")).to_be_visible()
    await page.keyboard.press("w")
    await expect(page.get_by_role("dialog", name="吹哨叫谁来？")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_be_hidden()
    await page.keyboard.press("a")
    await expect(page.get_by_role("button", name="办完了怎么说？")).to_be_visible()
    case = await issue.case()
    assert (case["phase"], case["holder"]["id"]) == ("accepted", "P016")
    await page.keyboard.press("/")
    await expect(page.get_by_role("searchbox")).to_be_focused()


async def test_a_place_is_found_by_compound_building_and_unit(windows: Windows) -> None:
    page = await windows.open("/r")
    await page.get_by_role("button", name="选小区、楼、单元").click()
    for name in ("和平小区", "和平小区1号楼", "1号楼2单元"):
        await page.get_by_role("dialog").get_by_role("button", name=re.compile(f"^{name}")).click()
    await expect(page.get_by_role("button", name=re.compile("1号楼2单元"))).to_be_visible()
