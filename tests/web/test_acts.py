"""The rarer acts as people press them: asked for by one, granted by another, and what the resident reads of each."""

import os
import re

from playwright.async_api import Page, expect

from tests.web.windows import PHONE, WIDE, Windows
from tests.world import U1, U2, Issue

SCREENS = os.environ.get("CHUISHAO_SCREENS")
WHY = "地冻住了，开春才能挖"


async def look(windows: Windows, page: Page, name: str) -> None:
    """Nothing against WCAG, nothing wider than the screen; kept as a picture where those are wanted."""
    await page.wait_for_timeout(300)
    assert await windows.violations(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"{name} is too wide"
    if SCREENS:
        await page.screenshot(path=f"{SCREENS}/{name}.png")


async def desk(windows: Windows, issue: Issue, who: str = "P003") -> Page:
    page = await windows.sign_in(who, size=WIDE)
    await page.goto(f"/desk/{issue.id}")
    await expect(page.get_by_role("region", name="能做什么")).to_be_visible()
    return page


async def leader(windows: Windows, issue: Issue, who: str = "P016") -> Page:
    page = await windows.sign_in(who)
    await page.goto(f"/leader/{issue.id}")
    await expect(page.get_by_role("heading", name="别的办法")).to_be_visible()
    return page


async def press(page: Page, name: str) -> None:
    await page.get_by_role("button", name=name, exact=True).click()


async def ask_until(page: Page, day: str, why: str = WHY) -> None:
    await press(page, day)
    await page.get_by_label("为什么", exact=True).fill(why)
    await press(page, "提出来")


async def test_a_case_is_given_back_once_with_a_reason(windows: Windows) -> None:
    issue = await windows.world.report(U1)
    await issue.act("escalate", "P016", reason="不归我管")
    page = await leader(windows, issue, "P014")
    await press(page, "退回")
    await expect(page.get_by_text("会回到1号楼1单元 单元长")).to_be_visible()
    await look(windows, page, "acts-return-phone")
    await page.get_by_role("textbox", name="为什么退回？").fill("先去看看灯泡")
    await page.get_by_role("dialog").get_by_role("button", name="退回").click()
    await expect(page.get_by_text("退回给1号楼1单元 单元长了")).to_be_visible()
    assert await issue.holder() == "P016"
    resident = await windows.open(f"/i/{issue.id}?code={issue.code}")
    await expect(resident.locator("[aria-current=step]")).to_contain_text("1号楼1单元 单元长")


async def test_only_acts_that_are_possible_are_offered(windows: Windows) -> None:
    page = await leader(windows, await windows.world.report(U1))
    more = page.get_by_role("region", name="别的办法")
    await expect(more.get_by_role("button")).to_have_text(["挂账"])


async def test_a_leader_asks_to_suspend_and_the_desk_grants_it_by_a_key(windows: Windows) -> None:
    issue = await windows.world.report(U1)
    page = await leader(windows, issue)
    await press(page, "挂账")
    await look(windows, page, "acts-suspend-phone")
    await ask_until(page, "一个月后")
    await expect(page.get_by_text("等社区值班台的人同意").first).to_be_visible()
    await look(windows, page, "acts-asked-phone")
    at_desk = await desk(windows, issue)
    await expect(at_desk.get_by_role("heading", name="想挂到 12月24日")).to_be_visible()
    await expect(at_desk.get_by_role("button", name="等您同意 1")).to_be_visible()
    await look(windows, at_desk, "acts-plea-wide")
    resident = await windows.open(f"/i/{issue.id}?code={issue.code}")
    await at_desk.keyboard.press("y")
    await expect(at_desk.get_by_text("同意了，先停表")).to_be_visible()
    case = await issue.case()
    assert (case["on_hold"], case["wake_at"]) == ("suspended", "2026-12-24T00:00:00+00:00")
    await expect(resident.get_by_text("12月24日接着办", exact=True)).to_be_visible()
    await expect(resident.locator("[aria-current=step]")).to_contain_text(WHY)
    await look(windows, resident, "climb-suspended-phone")
    await at_desk.keyboard.press("g")
    await expect(at_desk.get_by_text("接着办了，接着计时")).to_be_visible()
    assert (await issue.case())["on_hold"] is None


async def test_who_does_not_agree_says_why(windows: Windows) -> None:
    issue = await windows.world.report(U1)
    await issue.act("suspend", "P016", reason=WHY, until="2026-12-24T08:00:00+08:00")
    page = await desk(windows, issue)
    await page.keyboard.press("n")
    await page.get_by_role("textbox", name="为什么不同意？").fill("今天就能换灯泡")
    await page.get_by_role("dialog").get_by_role("button", name="不同意").click()
    await expect(page.get_by_text("没有同意，照原来的办")).to_be_visible()
    case = await issue.case()
    assert (case["request"], case["on_hold"]) == (None, None)


async def test_the_desk_asks_for_a_leader_and_somebody_else_has_to_agree(windows: Windows) -> None:
    issue = await windows.world.report(U1)
    page = await desk(windows, issue)
    await page.keyboard.press("s")
    await ask_until(page, "一周后")
    card = page.get_by_role("region", name="等人同意挂账")
    await expect(card).to_contain_text("等社区值班台的人同意")
    await expect(card.get_by_role("button")).to_have_count(0)
    request = (await issue.case())["request"]
    assert (request["by"], request["for"]) == ("P003", "P016")
    other = await desk(windows, issue, "P004")
    await press(other, "改一改再同意")
    await press(other, "两周后")
    await other.get_by_role("dialog").get_by_role("button", name="同意").click()
    await expect(other.get_by_text("同意了，先停表")).to_be_visible()
    assert (await issue.case())["wake_at"] == "2026-12-08T00:00:00+00:00"


async def test_a_deadline_is_put_off_by_the_level_above(windows: Windows) -> None:
    issue = await windows.world.report(U1)
    await issue.act("accept", "P016")
    before = (await issue.case())["resolve_by"]
    page = await leader(windows, issue)
    await press(page, "延期")
    await look(windows, page, "acts-extend-phone")
    await ask_until(page, "再要 3 天", "配件下周才到")
    await expect(page.get_by_text("等上一级同意").first).to_be_visible()
    above = await windows.sign_in("P014")
    await expect(above.get_by_role("heading", name="等您同意的")).to_be_visible()
    await look(windows, above, "acts-grant-list-phone")
    await above.get_by_role("link").filter(has_text="等人同意延期").click()
    await press(above, "同意")
    await expect(above.get_by_text("居民看得到新的期限和原因")).to_be_visible()
    await expect(above).to_have_url(re.compile("/leader$"))
    assert (await issue.case())["resolve_by"] > before
    resident = await windows.open(f"/i/{issue.id}?code={issue.code}")
    await expect(resident.locator("[aria-current=step]")).to_contain_text("配件下周才到")
    await look(windows, resident, "climb-extended-phone")


async def test_out_of_scope_takes_two_people_of_the_desk(windows: Windows) -> None:
    issue = await windows.world.report(U1)
    page = await desk(windows, issue)
    await page.keyboard.press("o")
    await page.get_by_role("textbox", name="请居民去哪儿办？").fill("请到不动产登记中心，恩和路 8 号")
    await press(page, "提出来")
    await expect(page.get_by_text("等另一位值班的人同意").first).to_be_visible()
    other = await desk(windows, issue, "P004")
    await press(other, "同意")
    await expect(other.get_by_text("告诉居民该去哪儿了")).to_be_visible()
    resident = await windows.open(f"/i/{issue.id}?code={issue.code}")
    await expect(resident.get_by_role("heading", name="这件事不归这里办")).to_be_visible()
    await expect(resident.get_by_text("请到不动产登记中心，恩和路 8 号", exact=True)).to_be_visible()
    await look(windows, resident, "climb-out-of-scope-phone")


async def test_what_is_handed_over_is_said_not_to_be_finished(windows: Windows) -> None:
    issue = await windows.world.report(U1)
    page = await desk(windows, issue)
    await page.keyboard.press("h")
    await press(page, "12345 热线")
    await page.get_by_label("那边的编号").fill("12345-0007")
    await page.get_by_label("怎么告诉居民").fill("已转市里 12345，他们会和您联系")
    await look(windows, page, "acts-hand-over-wide")
    await page.get_by_role("dialog").get_by_role("button", name="移交").click()
    await expect(page.get_by_text("转到12345 热线，编号 12345-0007")).to_be_visible()
    resident = await windows.open(f"/i/{issue.id}?code={issue.code}")
    await expect(resident.get_by_role("heading", name="已转出，未办结")).to_be_visible()
    await look(windows, resident, "climb-handed-over-phone")
    await expect(resident.get_by_text("办结了", exact=True)).to_have_count(0)


async def test_duplicates_stand_side_by_side_and_one_of_them_leads(windows: Windows) -> None:
    first = await windows.world.report(U1, "HEAT.cold", phone="13912365031", text="家里暖气不热，只有十四度")
    second = await windows.world.report(U2, "HEAT.cold", phone="13912365032", text="暖气片摸着冰凉")
    await windows.world.report(U2, "HYG.garbage", phone="13912365033", text="楼下垃圾桶满了")
    page = await desk(windows, second)
    await page.keyboard.press("d")
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_text("看着像同一件事的")).to_be_visible()
    await expect(dialog.get_by_role("listitem")).to_have_count(1)
    await look(windows, page, "acts-merge-likely-wide")
    await dialog.get_by_role("button").filter(has_text="只有十四度").click()
    sides = dialog.get_by_role("article")
    await expect(sides).to_have_count(2)
    await expect(sides.nth(0)).to_contain_text("暖气片摸着冰凉")
    await expect(sides.nth(1)).to_contain_text("家里暖气不热，只有十四度")
    await expect(sides.nth(1)).to_contain_text("1号楼1单元")
    await expect(sides.nth(1).get_by_role("button", name="以这件为主 ✓")).to_be_visible()
    await expect(dialog.get_by_text("两件不在一处")).to_be_visible()
    await look(windows, page, "acts-merge-wide")
    await page.set_viewport_size(PHONE)
    await look(windows, page, "acts-merge-phone")
    await page.set_viewport_size(WIDE)
    await press(page, "合在一起办")
    await expect(page).to_have_url(re.compile(first.id))
    await expect(page.get_by_text("另有 1 人报过")).to_be_visible()
    assert (await second.case())["merged_into"] == first.id
    resident = await windows.open(f"/i/{second.id}?code={second.code}")
    await expect(resident.get_by_text("合在一起办").first).to_be_visible()
    await expect(resident.locator("[aria-current=step]")).to_contain_text("楼栋长")
    await expect(resident.get_by_text("只有十四度")).to_have_count(0)
    await look(windows, resident, "climb-merged-phone")
    holder = await first.holder()
    await first.act("accept", holder)
    await first.act("resolve", holder, reply="阀门开了，慢慢会热")
    await expect(resident.get_by_text("阀门开了，慢慢会热", exact=True)).to_be_visible()
    await look(windows, resident, "climb-merged-resolved-phone")
