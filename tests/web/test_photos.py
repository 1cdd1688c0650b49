"""Photos and places as people give them on the pages."""

import io
import re

from PIL import Image
from playwright.async_api import FilePayload, Locator, Page, expect

from tests.photos import encoded, exif, picture
from tests.web.test_trouble import fill
from tests.web.windows import Windows
from tests.world import U1, C


def photo(width: int = 4000, height: int = 3000, orientation: int = 1) -> FilePayload:
    data = encoded(drawn=picture(width, height), exif=exif(orientation))
    return {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": data}


async def add(page: Page, *photos: FilePayload) -> None:
    await page.locator("input[type=file]").set_input_files(list(photos))


async def is_drawn(shown: Locator) -> None:
    await expect(shown).to_be_visible()
    assert await shown.evaluate("img => img.decode().then(() => img.naturalWidth)") > 0


async def kept(windows: Windows, photo: str, who: str) -> Image.Image:
    answer = await windows.world.call("GET", f"/api/intake/attachments/{photo}", who)
    assert answer.status_code == 200
    return Image.open(io.BytesIO(answer.content))


async def test_a_photo_goes_with_the_report_and_another_comes_back_with_the_reply(windows: Windows) -> None:
    resident = await windows.open(f"/r/{U1}")
    await fill(resident)
    await add(resident, photo(), photo(300, 200))
    await is_drawn(resident.get_by_role("img", name="照片 2"))
    await resident.get_by_role("button", name="去掉照片 2").click()
    await resident.get_by_role("button", name="发送").click()
    await resident.wait_for_url(re.compile("/i/"))
    await is_drawn(resident.get_by_role("img", name="照片 1"))

    leader = await windows.sign_in("P016")
    await leader.get_by_role("link").filter(has_text="楼道灯不亮了").click()
    await is_drawn(leader.get_by_role("img", name="照片 1"))
    await leader.get_by_role("button", name="照片 1").click()
    await is_drawn(leader.get_by_role("dialog").get_by_role("img"))
    await leader.get_by_role("dialog").get_by_role("button", name="关上").click()
    await leader.get_by_role("button", name="我来办").last.click()
    await leader.get_by_label("居民会看到这句话").fill("换好了")
    await add(leader, photo(1200, 900))
    await is_drawn(leader.locator("form").get_by_role("img", name="照片 1"))
    await leader.get_by_role("button", name="办好了，去告诉居民").click()

    await expect(resident.get_by_role("heading", name="解决了吗？")).to_be_visible()
    await is_drawn(resident.get_by_role("list", name="办好以后的照片").get_by_role("img"))
    (first,) = await windows.world.rows("SELECT id FROM intake.attachment WHERE use = 'report'")
    assert (await kept(windows, str(first["id"]), "P016")).size == (2560, 1920)


async def test_photos_written_without_a_network_wait_with_the_report(windows: Windows) -> None:
    page = await windows.open(f"/r/{U1}")
    await expect(page.get_by_text("1号楼1单元")).to_be_visible()
    await page.context.set_offline(True)
    await fill(page)
    await add(page, photo(200, 100))
    await page.get_by_role("button", name="发送").click()
    await expect(page.get_by_text("已存在手机里，有网会自动发").first).to_be_visible()
    await page.context.set_offline(False)
    await page.wait_for_url(re.compile("/i/"))
    await is_drawn(page.get_by_role("img", name="照片 1"))


async def test_a_draft_keeps_its_photos_when_the_page_is_left(windows: Windows) -> None:
    page = await windows.open(f"/r/{U1}")
    await fill(page)
    await add(page, photo(200, 100))
    await is_drawn(page.get_by_role("img", name="照片 1"))
    await page.reload()
    await is_drawn(page.get_by_role("img", name="照片 1"))


async def test_what_is_no_photo_is_said_and_nothing_is_lost(windows: Windows) -> None:
    page = await windows.open(f"/r/{U1}")
    await fill(page)
    await add(page, {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": b"GIF89a nothing"})
    await page.get_by_role("button", name="发送").click()
    await expect(page.get_by_text("不是能打开的照片")).to_be_visible()
    await expect(page.get_by_text("楼道灯不亮了").first).to_be_visible()


async def place_of(windows: Windows) -> str:
    return str(
        await windows.world.scalar(
            "SELECT g.code FROM intake.issue i JOIN directory.grid g ON g.id = i.place ORDER BY i.id DESC LIMIT 1"
        )
    )


async def test_a_place_may_be_written_as_an_address(windows: Windows) -> None:
    page = await windows.open("/r")
    await page.get_by_role("button", name="选小区、楼、单元").click()
    await page.get_by_label("写地址").fill("和平小区一号楼二单元 302")
    await page.get_by_role("dialog").get_by_role("button", name="好", exact=True).click()
    await fill(page)
    await expect(page.get_by_text("办事的人会看到")).to_be_visible()
    await page.get_by_role("button", name="发送").click()
    await page.wait_for_url(re.compile("/i/"))
    assert await place_of(windows) == f"{C}-L1-M1-S1-U2"


async def test_a_place_may_be_where_the_telephone_is(windows: Windows) -> None:
    here = {"longitude": 113.1156, "latitude": 41.03401, "accuracy": 20}
    page = await windows.open("/r", geolocation=here, permissions=["geolocation"])
    await page.get_by_role("button", name="选小区、楼、单元").click()
    await page.get_by_role("button", name="用我现在的位置").click()
    await expect(page.get_by_role("button", name=re.compile("我现在的位置"))).to_be_visible()
    await fill(page)
    await page.get_by_role("button", name="发送").click()
    await page.wait_for_url(re.compile("/i/"))
    assert await place_of(windows) == U1


async def test_a_point_that_is_not_exact_is_not_used(windows: Windows) -> None:
    rough = {"longitude": 113.1156, "latitude": 41.03401, "accuracy": 900}
    page = await windows.open("/r", geolocation=rough, permissions=["geolocation"])
    await page.get_by_role("button", name="选小区、楼、单元").click()
    await page.get_by_role("button", name="用我现在的位置").click()
    await expect(page.get_by_text("位置不够准")).to_be_visible()


async def test_a_department_shows_how_it_was_done(windows: Windows) -> None:
    world = windows.world
    issue = await world.report(U1)
    wish = {"occasion": "demand", "lead": "WATER", "assisting": [], "text": "请到场", "version": 1}
    wish["version"] = (await issue.case("P003"))["version"]
    blown = await world.call("POST", f"/api/routing/cases/{issue.id}/whistles", "P003", json=wish)
    path = f"/api/routing/whistles/{blown.json()['id']}"
    await world.settle()
    version = (await world.call("GET", path, "P030")).json()["version"]
    told = {"version": version, "person": "P030", "at": (await world.now()).isoformat()}
    assert (await world.call("POST", f"{path}/report-in", "P030", json=told)).status_code == 200
    page = await windows.sign_in("P030")
    await page.goto(f"/department/{blown.json()['id']}")
    await page.get_by_role("button", name="交结果").click()
    sheet = page.get_by_role("dialog")
    await sheet.get_by_role("textbox").fill("换了阀门")
    await add(page, photo(300, 200))
    await is_drawn(sheet.get_by_role("img", name="照片 1"))
    await sheet.get_by_role("button", name="交结果").click()
    await is_drawn(page.get_by_role("list", name="部门交的照片").get_by_role("img"))
