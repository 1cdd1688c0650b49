"""Photos: what is taken, what is left of it, who may use and see it, and what becomes of it."""

import asyncio
import io
import re
import socket
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import httpx2
import psutil
import pytest
import uvicorn
from anyio import BrokenWorkerProcess, to_process
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.intake.attachments import forget_unused
from services.intake.domain.photos import EDGE, MAX_BYTES
from services.intake.shelf import Shelf, shelf_of
from shared.problems import Problem
from shared.settings import Settings
from tests.photos import PLANTED, encoded, exif, good, hostile, no_photos, picture
from tests.world import U1, Issue, World

PHONE = "13912360601"
UPLOAD = "/api/intake/attachments"


async def bring(world: World, data: bytes, who: str | None = None, key: str | None = None) -> httpx2.Response:
    return await world.call("POST", UPLOAD, who, key=key, files={"file": ("a.jpg", data, "image/jpeg")})


async def brought(world: World, who: str | None = None, data: bytes | None = None) -> str:
    answer = await bring(world, data or encoded(exif=exif()), who)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def shown(world: World, photo: str, who: str | None = None, code: str | None = None) -> httpx2.Response:
    return await world.call("GET", f"{UPLOAD}/{photo}{f'?code={code}' if code else ''}", who)


async def reported(world: World, photos: list[str], who: str | None = None, **more: Any) -> Issue:
    more |= {} if who else {"phone": PHONE}
    body = {"category": "FAC.light", "text": "灯坏了", "place": {"grid": U1}, "attachments": photos, **more}
    answer = await world.call("POST", "/api/intake/issues", who, json=body)
    assert answer.status_code == 201, answer.text
    await world.settle()
    return Issue(world, **answer.json())


def fields(answer: httpx2.Response) -> list[str]:
    return [".".join(map(str, error["loc"])) for error in answer.json()["errors"]]


# -- what is taken, and what is left of it ------------------------------------------------------------------
@pytest.mark.parametrize("name", good())
async def test_a_photo_is_drawn_anew_as_jpeg_and_nothing_else_of_it_is_left(world: World, name: str) -> None:
    photo = await brought(world, "P016", good()[name])
    answer = await shown(world, photo, "P016")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert PLANTED not in answer.content
    assert b"script" not in answer.content
    with Image.open(io.BytesIO(answer.content)) as kept:
        kept.load()
        assert (kept.format, kept.mode, dict(kept.getexif())) == ("JPEG", "RGB", {})
        assert not {"exif", "comment", "icc_profile", "xmp"} & kept.info.keys()
        assert max(kept.size) <= EDGE


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
async def test_a_photo_is_turned_upright(world: World, kind: str, orientation: int) -> None:
    back = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    held = picture() if back is None else picture().transpose(back)
    photo = await brought(world, "P016", encoded(kind, held, exif=exif(orientation)))
    with Image.open(io.BytesIO((await shown(world, photo, "P016")).content)) as kept:
        assert kept.size == (64, 48)
        left, right = kept.getpixel((10, 24)), kept.getpixel((54, 24))
    assert isinstance(left, tuple)
    assert isinstance(right, tuple)
    assert left[0] > 200 > right[0]


async def test_what_a_telephone_sends_is_made_smaller(world: World) -> None:
    photo = await brought(world, "P016", encoded(drawn=picture(4000, 3000)))
    with Image.open(io.BytesIO((await shown(world, photo, "P016")).content)) as kept:
        assert kept.size == (2560, 1920)


@pytest.mark.parametrize("name", no_photos())
async def test_what_is_no_photo_by_its_content_is_415(world: World, name: str) -> None:
    assert (await bring(world, no_photos()[name])).status_code == 415


async def test_more_than_10_mib_is_413_and_just_10_are_looked_at(world: World) -> None:
    photo = encoded()
    assert (await bring(world, photo + bytes(MAX_BYTES - len(photo)))).status_code == 201
    assert (await bring(world, photo + bytes(MAX_BYTES - len(photo) + 1))).status_code == 413
    assert (await bring(world, bytes(12 * 1024 * 1024))).status_code == 413


async def test_more_than_50_megapixels_are_422_and_just_50_are_taken(world: World) -> None:
    refused = await bring(world, encoded(drawn=Image.new("L", (10_000, 5001)), quality=20))
    assert (refused.status_code, fields(refused)) == (422, ["body.file"])
    assert (await bring(world, encoded(drawn=Image.new("L", (10_000, 5000)), quality=20))).status_code == 201


async def test_what_is_no_form_with_a_file_is_422(world: World) -> None:
    for content in (
        {"json": {"file": "x"}},
        {"content": b""},
        {"data": {"file": "words"}},
        {"files": {"photo": ("a.jpg", encoded())}},
        {"content": b"--x\r\nrubbish", "headers": {"Content-Type": "multipart/form-data; boundary=x"}},
        {"content": b"rubbish", "headers": {"Content-Type": "multipart/form-data"}},
    ):
        answer = await world.http.post(UPLOAD, **content)  # type: ignore[arg-type]
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), answer.text


async def test_hundreds_of_hostile_files_do_no_harm_and_nobody_waits_for_them(world: World) -> None:
    files = dict(hostile())
    assert len(files) >= 180  # with those above more than 200
    process = psutil.Process()
    before = process.memory_info().rss
    slowest = 0.0

    async def others() -> None:
        nonlocal slowest
        while True:
            started = time.perf_counter()
            assert (await world.http.get("/api/intake/livez")).status_code == 200
            slowest = max(slowest, time.perf_counter() - started)
            await asyncio.sleep(0.02)

    waiting = asyncio.create_task(others())
    grown = 0
    for name, data in files.items():
        answer = await bring(world, data, "P016")
        assert answer.status_code in (201, 413, 415, 422), name
        if answer.status_code == 201:
            kept = (await shown(world, answer.json()["id"], "P016")).content
            assert not Image.open(io.BytesIO(kept)).getexif()
        grown = max(grown, sum(child.memory_info().rss for child in process.children() if is_worker(child)))
    waiting.cancel()
    assert slowest < 1.0
    assert process.memory_info().rss - before < 200 * 1024 * 1024
    assert grown < 2 * 1024 * 1024 * 1024


def is_worker(child: psutil.Process) -> bool:
    return "anyio.to_process" in child.cmdline()


async def test_a_decoder_that_dies_by_itself_costs_nobody_a_photo(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_sync, given = to_process.run_sync, []

    async def dies_once(*args: Any, **how: Any) -> Any:
        given.append(args)
        if len(given) == 1:
            raise BrokenWorkerProcess
        return await run_sync(*args, **how)

    monkeypatch.setattr(to_process, "run_sync", dies_once)
    await brought(world)
    assert len(given) == 2


# -- who may use one ----------------------------------------------------------------------------------------
async def test_photos_are_shown_with_the_issue_in_their_order(world: World) -> None:
    photos = [await brought(world) for _ in range(3)]
    photos.reverse()
    issue = await reported(world, photos)
    seen = (await world.call("GET", f"/api/intake/issues/{issue.id}?code={issue.code}")).json()
    assert seen["attachments"] == photos


async def test_a_photo_is_used_once_and_only_by_who_brought_it(world: World) -> None:
    used, theirs = await brought(world), await brought(world, "P018")
    await reported(world, [used])
    fresh = await brought(world)
    body = {"category": "FAC.light", "text": "灯坏了", "place": {"grid": U1}, "phone": PHONE}
    before = await world.scalar("SELECT count(*) FROM intake.issue")
    for photos, named in (
        ([used], 0),
        ([theirs], 0),
        ([fresh, fresh], 1),
        ([fresh, str(uuid4())], 1),
    ):
        answer = await world.call("POST", "/api/intake/issues", json={**body, "attachments": photos})
        assert (answer.status_code, fields(answer)) == (422, [f"body.attachments.{named}"])
    too_many = await world.call("POST", "/api/intake/issues", json={**body, "attachments": [str(uuid4())] * 10})
    assert (too_many.status_code, fields(too_many)) == (422, ["body.attachments"])
    assert await world.scalar("SELECT count(*) FROM intake.issue") == before
    await reported(world, [fresh])  # what was refused used nothing up


async def test_a_photo_brought_again_with_its_key_is_one_photo(world: World) -> None:
    data = encoded()
    first, again = await bring(world, data, "P016", "k1"), await bring(world, data, "P016", "k1")
    assert first.json() == again.json()
    assert (await bring(world, encoded("PNG"), "P016", "k1")).status_code == 422


async def test_an_unused_photo_is_seen_by_nobody_but_who_brought_it(world: World) -> None:
    photo = await brought(world, "P016")
    statuses = [(await shown(world, photo, who)).status_code for who in ("P016", "P018", "command", None)]
    assert statuses == [200, 404, 404, 401]
    assert (await shown(world, photo, code="AAAAAAAAAA")).status_code == 404


async def test_photos_of_the_resolution_are_shown_to_the_resident(world: World) -> None:
    issue = await reported(world, [])
    await issue.act("accept", "P016")
    strange = await issue.try_act("resolve", "P016", reply="换了", attachments=[await brought(world, "P018")])
    assert (strange.status_code, fields(strange)) == (422, ["body.attachments.0"])
    photo = await brought(world, "P016")
    await issue.act("resolve", "P016", reply="换了", attachments=[photo])
    assert (await issue.track())["attachments"] == [photo]
    assert (await issue.case("P016"))["attachments"] == [photo]
    answers = [
        await shown(world, photo, code=issue.code),
        await shown(world, photo, PHONE),
        await shown(world, photo, "P014"),
        await shown(world, photo, "P026"),
        await shown(world, photo, "auditor"),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 404, 403]
    assert (await world.call("GET", f"/api/intake/issues/{issue.id}?code={issue.code}")).json()["attachments"] == []


async def test_photos_of_a_whistles_result_are_shown_to_both_sides(world: World) -> None:
    issue = await reported(world, [])
    wish = {"occasion": "demand", "lead": "WATER", "assisting": ["CITY"], "text": "请到场看一看"}
    version = (await issue.case("P003"))["version"]
    blown = await world.call(
        "POST", f"/api/routing/cases/{issue.id}/whistles", "P003", json={**wish, "version": version}
    )
    path = f"/api/routing/whistles/{blown.json()['id']}"
    await world.settle()
    version = (await world.call("GET", path, "P030")).json()["version"]
    told = {"version": version, "person": "P030", "at": (await world.now()).isoformat()}
    assert (await world.call("POST", f"{path}/report-in", "P030", json=told)).status_code == 200
    version = (await world.call("GET", path, "P030")).json()["version"]
    photo = await brought(world, "P030")
    body = {"version": version, "text": "修好了", "attachments": [photo]}
    answer = await world.call("POST", f"{path}/result", "P030", json=body)
    assert (answer.status_code, answer.json()["attachments"]) == (200, [photo])
    await world.settle()
    statuses = [(await shown(world, photo, who)).status_code for who in ("P030", "P032", "P003", "P033", "P026")]
    assert statuses == [200, 200, 200, 404, 404]


# -- what becomes of it -------------------------------------------------------------------------------------
async def test_what_nobody_used_for_a_day_is_deleted_and_what_was_used_stays(world: World) -> None:
    forgotten, used = await brought(world, "P016"), await brought(world)
    issue = await reported(world, [used])
    context = world.parts.contexts["intake"]
    await world.advance(hours=23, minutes=59)
    await forget_unused(context)
    assert (await shown(world, forgotten, "P016")).status_code == 200
    late = await brought(world, "P016")
    await world.advance(minutes=2)
    await forget_unused(context)
    assert (await shown(world, forgotten, "P016")).status_code == 404
    assert await shelf_of(context.settings).get(UUID(forgotten)) is None
    assert await world.scalar("SELECT count(*) FROM intake.attachment WHERE id = :id", id=forgotten) == 0
    assert (await shown(world, late, "P016")).status_code == 200
    again = await bring(world, encoded(exif=exif()), "P016", "waited-long")
    await world.advance(hours=25)
    await forget_unused(context)
    assert (await bring(world, encoded(exif=exif()), "P016", "waited-long")).json() == again.json()
    assert (await shown(world, again.json()["id"], "P016")).status_code == 200
    assert (await shown(world, used, code=issue.code)).status_code == 200


# -- a bucket -----------------------------------------------------------------------------------------------
@pytest.fixture
async def bucket() -> AsyncIterator[Settings]:
    """As much of S3 as photos need."""
    kept: dict[str, bytes] = {}

    async def answer(request: Request) -> Response:
        path = request.url.path
        if request.method == "PUT":
            kept[path] = await request.body()
            return Response(headers={"ETag": '"1"'})
        if request.method == "POST":  # several are deleted at once, also one
            keys = re.findall("<Key>(.*?)</Key>", (await request.body()).decode())
            for key in keys:
                kept.pop(f"{path.rstrip('/')}/{key}", None)
            deleted = "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in keys)
            return Response(f"<DeleteResult>{deleted}</DeleteResult>", media_type="application/xml")
        if path not in kept:
            return Response("<Error><Code>NoSuchKey</Code></Error>", 404)
        return Response(kept[path], headers={"ETag": '"1"', "Last-Modified": "Tue, 24 Nov 2026 02:00:00 GMT"})

    app = Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "PUT", "POST"])])
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    serving = asyncio.create_task(server.serve([listening]))
    yield Settings(
        photos="s3://photos/jining",
        s3_endpoint=f"http://127.0.0.1:{listening.getsockname()[1]}",
        s3_access_key_id="test",
        s3_secret_access_key="test",
    )
    server.should_exit = True
    await serving


async def keeps(shelf: Shelf) -> None:
    photo = uuid4()
    await shelf.put(photo, b"picture")
    assert await shelf.get(photo) == b"picture"
    await shelf.drop(photo)
    await shelf.drop(photo)
    assert await shelf.get(photo) is None


async def test_photos_are_kept_in_a_bucket(bucket: Settings) -> None:
    await keeps(shelf_of(bucket))


async def test_photos_are_kept_in_the_data_directory(tmp_path: Any) -> None:
    await keeps(shelf_of(Settings(data=tmp_path)))
    assert (tmp_path / "photos").is_dir()


def test_a_directory_that_cannot_be_made_is_503(tmp_path: Any) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Problem) as refused:
        shelf_of(Settings(photos=str(tmp_path / "file" / "photos")))
    assert refused.value.status == 503
