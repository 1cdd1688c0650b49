"""What every service's HTTP has in common: strict schemas, texts, keyset pages, the caller, the context."""

import base64
import json
import re
import unicodedata
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from typing import Annotated, Any, TypeVar

import orjson
from fastapi import Depends, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, StringConstraints
from pydantic_core import PydanticCustomError
from starlette.types import Message

from shared.auth import BadToken, Principal, read_token
from shared.limits import Limits
from shared.problems import Problem, invalid, unauthorized
from shared.service import Context

MAX_TEXT = 4000
PAGE = 50
MAX_PAGE = 200


class Schema(BaseModel):
    """A request body: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _refuse(zh: str, en: str) -> PydanticCustomError:
    return PydanticCustomError("refused", "{en}", {"en": en, "messages": (zh, en)})


def check_text(value: str) -> str:
    """A free text: 1 to 4,000 characters that are not all white space, no control characters, no lone surrogates."""
    if not value.strip():
        raise _refuse("不能是空的", "must not be empty")
    if len(value) > MAX_TEXT:
        raise _refuse(f"最多 {MAX_TEXT} 个字", f"has more than {MAX_TEXT} characters")
    if any(unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\r\t" for c in value):
        raise _refuse("有不能用的字符", "has control characters")
    return value


FreeText = Annotated[str, AfterValidator(check_text)]
Code = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""A code or number of the workbook, as a caller names it; whether there is one is for the database to say."""
_RFC3339 = re.compile(r"2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.IGNORECASE)


def check_time(value: Any) -> Any:
    """A time is told as RFC 3339 with offset, and lies in this millennium: neither a date nor a number."""
    if not isinstance(value, str) or not _RFC3339.fullmatch(value) or value.startswith("2999"):
        raise _refuse("不是正确的时间", "is not a time with offset")
    return value


Time = Annotated[AwareDatetime, BeforeValidator(check_time)]


# -- the order of refusals ------------------------------------------------------------------------------
class Route(APIRoute):
    """Refusals come in the order 429, 401, 404, 403, 422: who may is a dependency, and it is asked also when the body
    cannot even be read. A body that is too large is refused as such. What is in no document (providers, probes) may be
    called as often as they like: a secret is part of it, or nothing comes of it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def in_order(request: Request) -> Response:
            if self.include_in_schema:
                await _limit(request)
            if self.body_field is None:
                return await handle(request)
            request = _Readable(request.scope, request.receive)
            await request.body()
            try:
                return await handle(request)
            except RequestValidationError as error:
                if error.errors()[0]["type"] == "json_invalid":
                    await handle(Request(request.scope, _no_body))
                raise

        return in_order


async def _limit(request: Request) -> None:
    """Counts changes per caller, and everything that comes without a good token per address."""
    limits = await limits_of(request)
    try:
        caller = await get_caller(request, await get_context(request), request.headers.get("authorization"))
    except Problem:
        caller = None
    if caller is None:
        await limits.admit_address(request)
    elif request.method not in ("GET", "HEAD"):
        await limits.admit_caller(caller)


class _Readable(Request):
    """Whatever makes a body unreadable is one error: broken UTF-8, endless numbers, bottomless nesting."""

    async def json(self) -> Any:
        try:
            return json.loads(await self.body())
        except (ValueError, RecursionError):
            raise json.JSONDecodeError("unreadable", "", 0) from None


async def _no_body() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


# -- the caller and the surroundings --------------------------------------------------------------------
async def get_context(request: Request) -> Context:  # asynchronous, as all below: others are handed to a thread
    context: Context = request.app.state.context
    return context


Ctx = Annotated[Context, Depends(get_context)]


async def limits_of(request: Request) -> Limits:
    limits: Limits = request.app.state.limits
    return limits


HowOften = Annotated[Limits, Depends(limits_of)]


async def get_caller(
    request: Request, context: Ctx, authorization: Annotated[str | None, Header()] = None
) -> Principal | None:
    """The caller, or None without a token. A bad token is refused (401), never taken for none."""
    if not hasattr(request.state, "caller"):
        request.state.caller = _read_caller(context, authorization)
    caller: Principal | None = request.state.caller
    return caller


def _read_caller(context: Context, authorization: str | None) -> Principal | None:
    if authorization is None:
        return None
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise unauthorized()
    try:
        return read_token(context.keys, token.strip())
    except BadToken:
        raise unauthorized() from None


MaybeCaller = Annotated[Principal | None, Depends(get_caller)]


async def need_caller(caller: MaybeCaller) -> Principal:
    if caller is None:
        raise unauthorized()
    return caller


Caller = Annotated[Principal, Depends(need_caller)]
IdempotencyKey = Annotated[str | None, Header(alias="Idempotency-Key")]


# -- keyset pages -----------------------------------------------------------------------------------------
def encode_cursor(*position: Any) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(position, default=str)).decode().rstrip("=")


def decode_cursor(cursor: str | None, *parts: Callable[[str], Any]) -> tuple[Any, ...] | None:
    """The position a page ended at, each part read by its function (such as UUID), or None for the first page.
    Raises Problem 422 naming `query.cursor`."""
    if cursor is None:
        return None
    try:
        position = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(position, list) or not all(isinstance(value, str) for value in position):
            raise ValueError
        return tuple(read(value) for read, value in zip(parts, position, strict=True))
    except ValueError:
        raise invalid(("query", "cursor"), "不是上一页给的值", "is not a cursor of ours") from None


def instant(text: str) -> datetime:
    """A time with offset, as a part of a cursor. Raises ValueError."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(text)
    return at


Cursor = Annotated[str | None, Query()]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE)]

T = TypeVar("T")


def page(items: Sequence[T], limit: int, position: Any) -> dict[str, Any]:
    """A page from up to `limit` + 1 rows: the one too many says that there is a next page, which begins after
    `position(last item)`."""
    shown = list(items[:limit])
    return {"items": shown, "next": encode_cursor(*position(shown[-1])) if len(items) > limit else None}
