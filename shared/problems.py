"""Errors as part of the interface: RFC 9457 problem details, in Chinese and English, never with the input in them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from shared.db import DatabaseAway, DiskFull
from shared.disks import is_full

log = structlog.get_logger()
MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True)
class FieldError:
    """One field that was refused. `loc` is the path of names from `body`, `query` or `path`."""

    loc: tuple[str | int, ...]
    zh: str
    en: str


@dataclass
class Problem(Exception):
    """An answer that is an error. `type` is stable and may be relied on."""

    type: str
    status: int
    zh: str
    en: str
    errors: Sequence[FieldError] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


def invalid(loc: tuple[str | int, ...], zh: str, en: str) -> Problem:
    return invalid_fields([FieldError(loc, zh, en)])


def invalid_fields(errors: Sequence[FieldError]) -> Problem:
    return Problem("invalid", 422, "有内容填得不对", "Some fields are not valid", errors)


def unauthorized() -> Problem:
    return Problem("unauthorized", 401, "请先登录", "A valid token is needed", headers={"WWW-Authenticate": "Bearer"})


def not_found() -> Problem:
    return Problem("not-found", 404, "没有找到", "Not found")


def forbidden() -> Problem:
    return Problem("forbidden", 403, "您不能做这件事", "You may not do this")


def wrong_state(phase: str, can: Sequence[str], **extra: Any) -> Problem:
    """The act is not allowed in the present state; the answer says which state it is and what is allowed."""
    return Problem(
        "wrong-state",
        409,
        "现在不能这样办",
        "Not possible in this state",
        extra={"phase": phase, "can": can, **extra},
    )


def already_moved(case: Mapping[str, Any], can: Sequence[str]) -> Problem:
    """The caller saw an older version; the answer holds the present one."""
    return Problem(
        "already-moved",
        409,
        "这件事刚刚已有变化",
        "It has moved on meanwhile",
        extra={"case": case, "can": can},
    )


def database_away() -> Problem:
    return Problem(
        "database-away",
        503,
        "系统正忙，请稍后再试",
        "Temporarily unavailable, try again",
        headers={"Retry-After": "2"},
    )


def disk_full() -> Problem:
    return Problem(
        "disk-full",
        503,
        "数据库的磁盘满了，这一次没有存下；腾出地方以后请再试",
        "The disk of the database is full and this was not stored; try again once there is room",
        headers={"Retry-After": "30"},
    )


def too_many(seconds: int) -> Problem:
    """`seconds` until it is worth asking again."""
    return Problem(
        "too-many",
        429,
        f"太频繁了，请 {seconds} 秒后再试",
        f"Too many requests, try again in {seconds} s",
        headers={"Retry-After": str(seconds)},
    )


def too_large() -> Problem:
    return Problem("too-large", 413, "内容太大了", "The body is too large")


def too_slow() -> Problem:
    """The body did not come in time. The connection is not used again: the rest of the body may be on its way."""
    return Problem("too-slow", 408, "内容传得太慢了", "The body took too long", headers={"Connection": "close"})


def not_in_time() -> Problem:
    """Nobody knows whether it was done: asking again with the same Idempotency-Key is safe."""
    return Problem(
        "not-in-time",
        504,
        "太久没有办完，请稍后再试",
        "Took too long, try again",
        headers={"Retry-After": "5"},
    )


def fault() -> Problem:
    return Problem("fault", 500, "系统出错了", "Internal error")


# pydantic's error types -> what a person reads; anything else falls back to the last line.
_MESSAGES = {
    "missing": ("必须填写", "is required"),
    "extra_forbidden": ("没有这一项", "is not known here"),
    "json_invalid": ("不是正确的 JSON", "is not valid JSON"),
    "string_too_long": ("太长了", "is too long"),
    "string_too_short": ("太短了", "is too short"),
    "uuid_parsing": ("不是正确的编号", "is not an id"),
    "literal_error": ("不是可选的值", "is not one of the allowed values"),
    "enum": ("不是可选的值", "is not one of the allowed values"),
    "datetime_from_date_parsing": ("不是正确的时间", "is not a time"),
    "timezone_aware": ("时间要带时区", "needs a time with offset"),
}
_ANY = ("格式不对", "is not valid")


def respond(problem: Problem, instance: str = "") -> Response:
    body = {
        "type": f"urn:chuishao:problem:{problem.type}",
        "title": f"{problem.zh} / {problem.en}",
        "status": problem.status,
        "detail": "; ".join(f"{'.'.join(map(str, e.loc))}: {e.zh} / {e.en}" for e in problem.errors)
        or f"{problem.zh} / {problem.en}",
        "instance": instance,
        "errors": [{"loc": list(e.loc), "msg": f"{e.zh} / {e.en}"} for e in problem.errors],
        **problem.extra,
    }
    content = orjson.dumps(body, default=str)
    return Response(content, problem.status, headers=dict(problem.headers), media_type=MEDIA_TYPE)


def from_validation(error: RequestValidationError) -> Problem:
    """pydantic's errors with their place, without what was sent: it may hold personal data."""
    found = []
    for item in error.errors():
        zh, en = item["ctx"]["messages"] if "messages" in item.get("ctx", {}) else _MESSAGES.get(item["type"], _ANY)
        loc = tuple(part for part in item["loc"] if not (item["type"] == "json_invalid" and isinstance(part, int)))
        found.append(FieldError(loc, zh, en))
    return invalid_fields(found)


def install(app: FastAPI) -> None:
    """Maps every error of an app to problem details."""

    @app.exception_handler(Problem)
    async def _problem(request: Request, error: Problem) -> Response:
        return respond(error, request.url.path)

    @app.exception_handler(RequestValidationError)
    async def _validation(request: Request, error: RequestValidationError) -> Response:
        return respond(from_validation(error), request.url.path)

    @app.exception_handler(DatabaseAway)
    async def _away(request: Request, error: DatabaseAway) -> Response:
        # With its disk full PostgreSQL may refuse to write, or not even run.
        full = isinstance(error, DiskFull) or is_full(request.app.state.context.settings.data / "postgres")
        log.warning("database.disk-full" if full else "database.away", error=str(error))
        return respond(disk_full() if full else database_away(), request.url.path)

    @app.exception_handler(ClientDisconnect)
    async def _hung_up(request: Request, error: ClientDisconnect) -> Response:
        return Response(status_code=499)  # no fault of ours; counted, and read by nobody

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        known = {404: not_found(), 401: unauthorized(), 403: forbidden()}
        problem = known.get(error.status_code) or Problem(
            f"http-{error.status_code}",
            error.status_code,
            "请求不被接受",
            str(error.detail),
            headers=error.headers or {},
        )
        return respond(problem, request.url.path)
