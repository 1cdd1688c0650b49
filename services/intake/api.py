"""Intake's HTTP: translates and calls."""

from dataclasses import asdict
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from fastapi import Request as HttpRequest
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from services.intake import attachments, commands, schemas
from services.intake.catalogue import catalogue
from services.intake.commands import Request, Wanted
from services.intake.domain.words import find_hints
from services.intake.store import Page
from shared.auth import Principal
from shared.http import (
    PAGE,
    Caller,
    Ctx,
    Cursor,
    HowOften,
    IdempotencyKey,
    Limit,
    MaybeCaller,
    Route,
    decode_cursor,
    page,
)
from shared.problems import invalid

MAX_IDS = 100
BEFORE_ALL = UUID(int=0)
MAX_FIELDS = 8
# It never changes, is nobody else's, and is nothing but a picture.
SHOWN = {
    "Cache-Control": "private, max-age=86400, immutable",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Content-Disposition": "inline",
    "X-Content-Type-Options": "nosniff",
}

router = APIRouter(tags=["intake"], route_class=Route)


@router.get("/categories")
async def get_categories() -> schemas.CategoriesOut:
    """What can be reported, by class."""
    return schemas.CategoriesOut.model_validate({"items": [asdict(each) for each in catalogue().classes]})


@router.post("/hints")
async def post_hints(body: schemas.WordsIn) -> schemas.HintsOut:
    """Names, phones and door numbers in words that are about to be sent. Stores nothing, refuses nothing."""
    return schemas.HintsOut.model_validate({"hints": [asdict(hint) for hint in find_hints(body.text)]})


@router.post("/issues", status_code=201, response_model_exclude_none=True)
async def post_issue(
    body: schemas.ReportIn, context: Ctx, caller: MaybeCaller, often: HowOften, key: IdempotencyKey = None
) -> schemas.ReportedOut:
    """Report an issue; without a token a phone is needed."""
    if caller is None and body.phone is not None:
        await often.admit_phone(context.keys.phone_index(body.phone))
    request = Request(key, body.model_dump_json().encode())
    _, answer = await commands.report_issue(context, caller, body.report(), request)
    return schemas.ReportedOut.model_validate(answer)


UPLOAD = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            }
        },
    }
}


@router.post("/attachments", status_code=201, openapi_extra=UPLOAD)
async def post_attachment(
    request: HttpRequest, context: Ctx, caller: MaybeCaller, key: IdempotencyKey = None
) -> schemas.AttachmentOut:
    """Bring a photo (`file`), to be named in a report, a resolution or a result within 24 hours."""
    # Read by hand: it must not lie in memory before its turn has come.
    try:
        form = request.form(max_files=1, max_fields=MAX_FIELDS)
        async with form as parts:
            file = parts.get("file")
            if not isinstance(file, UploadFile):
                raise invalid(("body", "file"), "要有一张照片", "is required: a file in a multipart form")
            _, answer = await attachments.keep_photo(context, caller, file, key)
    except HTTPException:
        raise invalid(("body",), "表单读不了", "is not a multipart form that can be read") from None
    return schemas.AttachmentOut.model_validate(answer)


@router.get("/attachments/{id}", response_class=Response, responses={200: {"content": {"image/jpeg": {}}}})
async def get_attachment(
    id: UUID, context: Ctx, caller: MaybeCaller, code: Annotated[str | None, Query()] = None
) -> Response:
    """A photo, for whoever may read the issue it belongs to."""
    return Response(await attachments.read_photo(context, caller, id, code), media_type="image/jpeg", headers=SHOWN)


@router.get("/issues/{id}")
async def get_issue(
    id: UUID, context: Ctx, caller: MaybeCaller, code: Annotated[str | None, Query()] = None
) -> schemas.IssueOut:
    """One issue, for its reporter, the holder of its code, and those on the place's way up."""
    return schemas.IssueOut.of(await commands.read_issue(context, caller, id, code))


@router.get("/issues")
async def get_issues(
    context: Ctx,
    caller: Caller,
    ids: Annotated[list[str] | None, Query()] = None,
    mine: bool = False,
    unplaced: bool = False,
    cursor: Cursor = None,
    limit: Limit = PAGE,
) -> schemas.IssuesOut:
    """`ids=` (up to 100, with commas or repeated), else `mine=true`, else `unplaced=true`; oldest first."""
    wanted = Wanted(_ids(ids) if ids is not None else None, mine)
    if wanted.ids is None and not mine and not unplaced:
        raise invalid(("query", "ids"), "要写明看哪些", "or mine or unplaced is needed")
    after = decode_cursor(cursor, UUID) or (BEFORE_ALL,)
    found = await commands.list_issues(context, caller, wanted, Page(after[0], limit))
    items = [schemas.IssueOut.of(each) for each in found]
    return schemas.IssuesOut.model_validate(page(items, limit, lambda last: (str(last.id),)))


def _ids(given: list[str]) -> list[UUID]:
    texts = [part.strip() for each in given for part in each.split(",")]
    if len(texts) > MAX_IDS:
        raise invalid(("query", "ids"), f"一次最多 {MAX_IDS} 个", f"has more than {MAX_IDS}")
    return [_uuid(each) for each in texts]


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise invalid(("query", "ids"), "不是正确的编号", "is not an id") from None


async def _placer(id: UUID, context: Ctx, caller: Caller) -> Principal:
    """A dependency, so that who may is settled before the body is looked at."""
    await commands.check_may_place(context, caller, id)
    return caller


Placer = Annotated[Principal, Depends(_placer)]


@router.put("/issues/{id}/place")
async def put_place(
    id: UUID, body: schemas.PlacedIn, context: Ctx, caller: Placer, key: IdempotencyKey = None
) -> schemas.PlacedOut:
    """Put an issue whose place fitted no grid at one."""
    request = Request(key, body.model_dump_json().encode())
    _, answer = await commands.place_issue(context, caller, id, body.grid, request)
    return schemas.PlacedOut.model_validate(answer)
