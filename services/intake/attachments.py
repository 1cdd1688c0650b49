"""Photos: taken in, shown to whoever may read what they belong to, forgotten when nobody used them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import anyio
import structlog
from anyio import BrokenWorkerProcess, to_process
from sqlalchemy import ARRAY, Uuid, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.datastructures import UploadFile

from services.intake import store
from services.intake.commands import reader_of
from services.intake.domain.photos import MAX_BYTES, format_of
from services.intake.pictures import redraw
from services.intake.shelf import shelf_of
from shared.auth import Principal
from shared.db import transaction
from shared.idempotency import Answer, once
from shared.problems import Problem, invalid, not_found, unauthorized
from shared.service import Context

log = structlog.get_logger()

AT_ONCE = 2
"""Photos decoded side by side in a process; with the memory of each bounded, that of all is."""
PATIENCE = 30.0
"""Seconds a photo waits for its turn."""
DECODING = 20.0
"""Seconds one may take. The largest takes two."""
_turns = asyncio.Semaphore(AT_ONCE)

INSERT = text("INSERT INTO attachment (owner) VALUES (:owner) RETURNING id")
# Brought again with its key after it was forgotten, it is there again.
STORED = text("""
INSERT INTO attachment (id, owner, stored) VALUES (:id, :owner, true) ON CONFLICT (id) DO UPDATE SET stored = true
""").bindparams(bindparam("id", type_=Uuid))
FIND = text("SELECT owner, subject, place FROM attachment WHERE id = :id AND stored AND NOT dropped").bindparams(
    bindparam("id", type_=Uuid)
)
# First out of reach, then off the shelf, then forgotten: no photo is used while it is being deleted, and one whose
# deletion was cut short is found again.
UNUSED = text("""
UPDATE attachment SET dropped = true WHERE id IN (
    SELECT id FROM attachment WHERE subject IS NULL AND uploaded_at < public.clock_now() - interval '24 h'
     ORDER BY uploaded_at LIMIT :batch FOR UPDATE SKIP LOCKED)
RETURNING id
""")
FORGET = text("DELETE FROM attachment WHERE id = ANY(:ids) AND dropped").bindparams(bindparam("ids", type_=ARRAY(Uuid)))
BATCH = 100


async def keep_photo(context: Context, caller: Principal | None, file: UploadFile, key: str | None) -> Answer:
    """Takes a photo in, drawn anew as a JPEG without anything but its pixels.

    Who may: anybody; without a token whoever knows the id may use it. Changes: the photo, unused for the time being.
    Errors: 413 over 10 MiB, 415 for what is no JPEG, PNG, WebP or HEIC, 422 over 50 megapixels, 503 when too many wait.
    """
    async with _turn():
        data = await file.read(MAX_BYTES + 1)
        drawn = await _drawn(data)
    owner = caller.key if caller else None
    async with transaction(context.engine) as conn:

        async def add() -> Answer:
            return 201, {"id": str((await conn.execute(INSERT, {"owner": owner})).scalar_one())}

        answer = await once(conn, context.keys, owner or "nobody", key, data, add)
    photo = UUID(answer[1]["id"])
    # The row is there first, so that no picture ever lies on the shelf that nobody knows of.
    await shelf_of(context.settings).put(photo, drawn)
    async with transaction(context.engine) as conn:
        await conn.execute(STORED, {"id": photo, "owner": owner})
    return answer


@asynccontextmanager
async def _turn() -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(PATIENCE):
            await _turns.acquire()
    except TimeoutError:
        raise _busy() from None
    try:
        yield
    finally:
        _turns.release()


async def _redrawn(data: bytes) -> bytes | str:
    """In a process of its own. A process may die through no fault of the photo: then another gets it, once."""
    try:
        return await to_process.run_sync(redraw, data, cancellable=True)
    except BrokenWorkerProcess:
        return await to_process.run_sync(redraw, data, cancellable=True)


async def _drawn(data: bytes) -> bytes:
    if len(data) > MAX_BYTES:
        raise Problem("too-large", 413, "照片太大了，最多 10 MiB", "The photo is larger than 10 MiB")
    if format_of(data) is None:
        raise _no_photo()
    try:
        with anyio.fail_after(DECODING):
            drawn = await _redrawn(data)
    except (BrokenWorkerProcess, TimeoutError) as error:
        log.warning("photo.broke-decoder", error=type(error).__name__)
        raise _no_photo() from None
    except OSError:  # no process to be had
        raise _busy() from None
    if drawn == "too-many-pixels":
        raise invalid(("body", "file"), "照片太大了，最多五千万像素", "has more than 50 megapixels")
    if isinstance(drawn, str):
        raise _no_photo()
    return drawn


def _no_photo() -> Problem:
    return Problem(
        "no-photo",
        415,
        "不是能打开的照片，请用 JPEG、PNG、WebP 或 HEIC",
        "Not a photo that can be read: JPEG, PNG, WebP or HEIC",
    )


def _busy() -> Problem:
    return Problem(
        "busy", 503, "现在照片太多，请稍后再试", "Too many photos at once, try again", headers={"Retry-After": "10"}
    )


@dataclass(frozen=True, slots=True)
class _Found:
    owner: str | None
    subject: UUID | None
    place: UUID | None


async def read_photo(context: Context, caller: Principal | None, photo: UUID, code: str | None) -> bytes:
    """A photo, as JPEG.

    Who may: whoever may read the issue it belongs to; of a case without an issue, posts above its place; while it is
    unused, only who brought it. Errors: 401 with neither token nor code, 404 for everybody else, 403 for the auditor.
    """
    if code is None and caller is None:
        raise unauthorized()
    async with transaction(context.engine) as conn:
        row = (await conn.execute(FIND, {"id": photo})).mappings().one_or_none()
        if row is None or not await _may_see(conn, context, caller, _Found(**row), code):
            raise not_found()
    data = await shelf_of(context.settings).get(photo)
    if data is None:
        log.error("photo.lost", photo=str(photo))
        raise not_found()
    return data


async def _may_see(
    conn: AsyncConnection, context: Context, caller: Principal | None, found: _Found, code: str | None
) -> bool:
    if found.subject is None:
        return caller is not None and found.owner == caller.key
    if code is not None:
        return context.keys.check_track(found.subject, code)
    reader = reader_of(caller)
    if found.place is not None and await store.reads_at(conn, reader, found.subject, found.place):
        return True
    return await store.read_one(conn, reader, found.subject) is not None


async def forget_unused(context: Context) -> float:
    """Deletes photos that nobody used within 24 hours."""
    async with transaction(context.engine) as conn:
        unused = list((await conn.execute(UNUSED, {"batch": BATCH})).scalars())
    for photo in unused:
        await shelf_of(context.settings).drop(photo)
    if unused:
        async with transaction(context.engine) as conn:
            await conn.execute(FORGET, {"ids": unused})
    return 0.0 if len(unused) == BATCH else 60.0
