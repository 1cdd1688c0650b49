"""What every service's HTTP has in common: strict schemas, texts, keyset pages, the caller, the context."""

import base64
import unicodedata
from collections.abc import Sequence
from typing import Annotated, Any, TypeVar

import orjson
from fastapi import Depends, Header, Query, Request
from pydantic import AfterValidator, BaseModel, ConfigDict
from pydantic_core import PydanticCustomError

from shared.auth import BadToken, Principal, read_token
from shared.problems import invalid, unauthorized
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


# -- the caller and the surroundings --------------------------------------------------------------------
def get_context(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


Ctx = Annotated[Context, Depends(get_context)]


def get_caller(context: Ctx, authorization: Annotated[str | None, Header()] = None) -> Principal | None:
    """The caller, or None without a token. A bad token is refused (401), never taken for none."""
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


def need_caller(caller: MaybeCaller) -> Principal:
    if caller is None:
        raise unauthorized()
    return caller


Caller = Annotated[Principal, Depends(need_caller)]
IdempotencyKey = Annotated[str | None, Header(alias="Idempotency-Key")]


# -- keyset pages -----------------------------------------------------------------------------------------
def encode_cursor(*position: Any) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(position)).decode().rstrip("=")


def decode_cursor(cursor: str | None, width: int = 1) -> list[Any] | None:
    """The position a page ended at, or None for the first page. Raises Problem 422 naming `query.cursor`."""
    if cursor is None:
        return None
    try:
        position = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(position, list) or len(position) != width:
            raise ValueError
    except ValueError:
        raise invalid(("query", "cursor"), "不是上一页给的值", "is not a cursor of ours") from None
    return position


Cursor = Annotated[str | None, Query()]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE)]

T = TypeVar("T")


def page(items: Sequence[T], limit: int, position: Any) -> dict[str, Any]:
    """A page from up to `limit` + 1 rows: the one too many says that there is a next page, which begins after
    `position(last item)`."""
    shown = list(items[:limit])
    return {"items": shown, "next": encode_cursor(*position(shown[-1])) if len(items) > limit else None}
