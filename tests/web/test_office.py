"""What an administrator, command and the desks look after: policies, calendars, maintenance, vacancies, supervision."""

import re
from typing import Any

from playwright.async_api import Page, expect

from tests.web.test_acts import look, press
from tests.web.windows import WIDE, Windows
from tests.world import U1, U3, World


async def policy_page(windows: Windows) -> Page:
    page = await windows.sign_in("admin", size=WIDE)
    await page.goto("/admin/policy")
    await expect(page.get_by_label("政策的内容")).to_be_visible()
    return page


async def admin(world: World, path: str) -> dict[str, Any]:
    answer = await world.call("GET", path, "admin")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def in_force(world: World) -> dict[str, Any]:
    rows = (await admin(world, "/api/routing/policies"))["items"]
    return await admin(world, f"/api/routing/policies/{next(row['id'] for row in rows if row['in_force'])}")


def line_of(text: str, words: str) -> int:
    return text[: text.index(words)].count("\n") + 1


async def test_an_administrator_finds_everything_on_one_page(windows: Windows) -> None:
    page = await windows.sign_in("admin")
    await expect(page).to_have_url(re.compile("/admin$"))
    await expect(page.get_by_role("link", name=re.compile("政策"))).to_contain_text("现在用的是 default")
    await expect(page.get_by_role("link", name=re.compile("空岗"))).to_contain_text("没有人 2 处 · 联系不上 1 人")
    await look(windows, page, "admin-phone")


async def test_every_fault_of_a_policy_is_shown_at_its_line(windows: Windows) -> None:
    page = await policy_page(windows)
    field = page.get_by_label("政策的内容")
    text = (
        (await field.input_value()).replace("total: 24h", "total: 24parsec").replace("name: default", "nome: default")
    )
    await field.fill(text)
    await expect(page.get_by_text("处不对")).to_be_visible()
    fault = page.get_by_role("button").filter(has_text=f"第 {line_of(text, '24parsec')} 行")
    await fault.click()
    chosen = await field.evaluate("(e) => e.value.slice(e.selectionStart, e.selectionEnd)")
    assert "24parsec" in chosen
    await expect(page.get_by_role("button", name="存下来用")).to_be_disabled()
    await look(windows, page, "admin-policy-faults-wide")


async def test_a_policy_is_tried_on_the_record_and_saved_with_a_reason(windows: Windows) -> None:
    world = windows.world
    before = await in_force(world)
    issue = await world.report(U1)
    await world.advance(hours=3)
    await issue.act("accept", "P016")
    await issue.act("resolve", "P016", reply="换了新灯泡")
    page = await policy_page(windows)
    field = page.get_by_label("政策的内容")
    text = await field.input_value()
    await field.fill(re.sub(r"(ordinary:.*?micro: )4h", r"\g<1>2h", text, count=1, flags=re.DOTALL))
    assert await field.input_value() != text
    await expect(page.get_by_text("没有不对的地方")).to_be_visible()
    await press(page, "算一算")
    await expect(page.get_by_text("1 件里有 1 件走法不同")).to_be_visible()
    await expect(page.get_by_role("row", name=re.compile("^单元"))).to_contain_text("100% → 0%")
    await page.get_by_role("region", name="试算").last.scroll_into_view_if_needed()
    await look(windows, page, "admin-replay-wide")
    await press(page, "存下来用")
    await page.get_by_role("textbox", name="为什么这样改？").fill("白天两个小时够了")
    await page.get_by_role("dialog").get_by_role("button", name="存下来用").click()
    await expect(page.get_by_text("存下了，以后报的事照它办")).to_be_visible()
    await expect(page.get_by_role("button").filter(has_text="白天两个小时够了")).to_contain_text("现在用的")
    now = await in_force(world)
    assert now["id"] != before["id"]
    assert (now["created_by"], now["reason"]) == ("admin", "白天两个小时够了")
    back = {"yaml": before["yaml"], "reason": "试完了"}
    assert (await world.call("POST", "/api/routing/policies", "admin", json=back)).status_code == 201


async def test_command_reads_a_policy_and_changes_nothing(windows: Windows) -> None:
    page = await windows.sign_in("command", size=WIDE)
    await page.goto("/admin/policy")
    await expect(page.get_by_label("政策的内容")).to_have_attribute("readonly", "")
    await expect(page.get_by_role("button", name="算一算")).to_have_count(0)


async def test_a_day_is_taken_off_and_is_as_published_again(windows: Windows) -> None:
    page = await windows.sign_in("admin")
    await page.goto("/admin/calendar")
    await look(windows, page, "admin-calendar-phone")
    await page.get_by_role("button", name="2026年11月25日 上班").click()
    await look(windows, page, "admin-day-phone")
    await page.get_by_label("为什么").fill("那达慕，区里放假一天")
    await press(page, "这天放假")
    day = page.get_by_role("button", name="2026年11月25日 不上班 自己定的")
    await expect(day).to_be_visible()
    days = (await admin(windows.world, "/api/routing/calendars"))["days"]
    assert days == [{"date": "2026-11-25", "open": False}]
    await day.click()
    await page.get_by_label("为什么").fill("改日子了")
    await press(page, "照公布的")
    await expect(page.get_by_text("没有。都照公布的")).to_be_visible()


async def test_a_year_is_put_in_as_it_was_published(windows: Windows) -> None:
    page = await windows.sign_in("admin")
    await page.goto("/admin/calendar")
    await press(page, "放进一年的安排")
    await page.get_by_label("哪一年").fill("2029")
    await page.get_by_label("放假的日子").fill("2029-01-01..2029-01-03，2029-02-12至2029-02-19")
    await page.get_by_label("调休上班的日子").fill("2029-02-31")
    await expect(page.get_by_text("有一天写得不对")).to_be_visible()
    await page.get_by_label("调休上班的日子").fill("2029-02-24")
    await expect(page.get_by_text("11 天")).to_be_visible()
    await page.get_by_label("为什么").fill("国办发明电")
    await look(windows, page, "admin-year-phone")
    await press(page, "放进去")
    await expect(page.get_by_text("2029 年的安排放进去了")).to_be_visible()
    known = await admin(windows.world, "/api/routing/calendars")
    assert {"2029-01-02", "2029-02-19"} <= set(known["holidays"])
    assert "2029-02-24" in known["workdays"]


async def test_maintenance_is_turned_on_and_off(windows: Windows) -> None:
    page = await windows.sign_in("admin")
    await press(page, "开始维护")
    await page.get_by_role("textbox", name="为什么要维护？").fill("换硬盘")
    await page.get_by_role("dialog").get_by_role("button", name="开始维护").click()
    await expect(page.get_by_role("heading", name="正在维护")).to_be_visible()
    await look(windows, page, "admin-maintenance-phone")
    assert (await admin(windows.world, "/api/routing/maintenance"))["reason"] == "换硬盘"
    await press(page, "维护完了")
    await page.get_by_role("dialog").get_by_role("button", name="维护完了").click()
    await expect(page.get_by_role("heading", name="维护", exact=True)).to_be_visible()
    assert (await admin(windows.world, "/api/routing/maintenance"))["on"] is False


async def test_command_fills_a_vacant_post(windows: Windows) -> None:
    page = await windows.sign_in("command")
    await page.goto("/vacancies")
    row = page.get_by_role("listitem").filter(has_text="1号楼3单元")
    await expect(row).to_contain_text("这里没有人")
    await look(windows, page, "vacancies-phone")
    await row.get_by_role("button", name="定人").click()
    await expect(page.get_by_role("dialog")).to_contain_text("没有人")
    await look(windows, page, "vacancies-fill-phone")
    await page.get_by_label("谁来（编号）").fill("P999")
    await page.get_by_role("dialog").get_by_role("button", name="定人").click()
    await expect(page.get_by_role("dialog")).to_contain_text("没有这个人")
    await page.get_by_label("谁来（编号）").fill("P046")
    await page.get_by_role("dialog").get_by_role("button", name="定人").click()
    await expect(page.get_by_text("P046 上岗了")).to_be_visible()
    await expect(row).to_have_count(0)
    grid = (await windows.world.call("GET", f"/api/directory/grids/{U3}", "admin")).json()
    assert {"kind": "leader", "person": "P046"} in grid["posts"]
    path = f"/api/directory/grids/{U3}/posts/leader"
    assert (await windows.world.call("PUT", path, "admin", json={"person": None})).status_code == 200


async def test_the_desk_sets_an_absence_and_the_stand_in_has_it_at_once(windows: Windows) -> None:
    issue = await windows.world.report(U1)
    page = await windows.sign_in("P003", size=WIDE)
    await page.get_by_role("link", name="空岗").click()
    await expect(page.get_by_role("button", name="给别的网格定人")).to_have_count(0)
    await press(page, "有人请假")
    await page.get_by_label("谁（编号）").fill("P016")
    await page.get_by_label("谁替他（编号）").fill("P018")
    await look(windows, page, "vacancies-absence-wide")
    await page.get_by_role("dialog").get_by_role("button", name="请假", exact=True).click()
    await expect(page.get_by_text("P016 请好假了")).to_be_visible()
    await windows.world.settle()
    assert await issue.holder() == "P018"
    await press(page, "有人请假")
    await page.get_by_label("谁（编号）").fill("P016")
    await press(page, "他回来了，销假")
    await expect(page.get_by_text("P016 回来了")).to_be_visible()
    await windows.world.settle()


async def test_command_follows_up_what_is_supervised_and_puts_it_back(windows: Windows) -> None:
    issue = await windows.world.report(U1, text="楼道灯坏了一个月")
    for who in ("P016", "P014", "P012", "P010"):
        await issue.act("escalate", who, reason="不归我管")
    await windows.world.advance(days=4)
    page = await windows.sign_in("command", size=WIDE)
    await page.get_by_role("link", name="督办 1").click()
    await page.get_by_role("link").filter(has_text="楼道灯坏了一个月").click()
    await expect(page.get_by_text("还没有人记过")).to_be_visible()
    await page.get_by_role("textbox", name="记一笔").fill("问了社区，答应明天上门")
    await press(page, "记一笔")
    await expect(page.get_by_role("listitem").filter(has_text="问了社区，答应明天上门")).to_be_visible()
    await press(page, "交给别的值班台")
    await page.get_by_label("哪个值班台").select_option("150902-01")
    await page.get_by_label("哪个人").select_option("P002")
    await look(windows, page, "supervision-hand-over-wide")
    await page.get_by_role("dialog").get_by_role("textbox").fill("请街道盯着")
    await press(page, "交过去")
    await expect(page.get_by_text("归 前进街道 · P002 管").first).to_be_visible()
    await look(windows, page, "supervision-wide")
    await press(page, "放回去接着办")
    await page.get_by_label("回到哪一级").select_option("micro")
    await page.get_by_role("dialog").get_by_role("textbox").fill("灯已经买来了，请单元长换上")
    await press(page, "放回去")
    await expect(page.get_by_text("没有要督办的")).to_be_visible()
    case = await issue.case()
    assert (case["holder"]["id"], case["supervised"]) == ("P016", False)


async def test_a_desk_sees_what_is_supervised_below_it(windows: Windows) -> None:
    issue = await windows.world.report(U1)
    for who in ("P016", "P014", "P012", "P010"):
        await issue.act("escalate", who, reason="不归我管")
    await windows.world.advance(days=4)
    page = await windows.sign_in("P003")
    await page.goto(f"/supervision/{issue.id}")
    await expect(page.get_by_role("button", name="记一笔")).to_be_visible()
    await expect(page.get_by_role("button", name="放回去接着办")).to_have_count(0)
    await look(windows, page, "supervision-phone")
