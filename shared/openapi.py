"""The services' OpenAPI documents, made complete in one place: every answer that the common parts of HTTP give (errors
as problem details, limits, a database that is away) is documented at every operation; a token is a security scheme."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, iter_route_contexts

from shared.http import get_caller, need_caller

ANSWERS = {
    400: ("Unreadable", "请求读不出来 · the request cannot be read"),
    401: ("Unauthorized", "没有登录 · no token, no code, or a bad one"),
    403: ("Forbidden", "不归您办 · you may see it, and this is not yours to do"),
    404: ("NotFound", "没有找到 · outside of what you may see, or not there"),
    408: ("TooSlow", "内容传得太慢 · the body took too long"),
    409: ("Conflict", "现在不能这样办，或已有变化 · not in this state, or it has moved on"),
    413: ("TooLarge", "内容太大 · the body is too large"),
    415: ("NotThatKind", "不是能收的文件 · a file of a kind that is not taken"),
    422: ("Invalid", "有内容填得不对 · some fields are not valid, each is named"),
    429: ("TooMany", "太频繁 · too many requests; Retry-After says when to come again"),
    503: ("Unavailable", "暂时不可用 · temporarily unavailable; Retry-After says when to come again"),
    504: ("NotInTime", "太久没有办完 · took too long; the same Idempotency-Key makes asking again safe"),
}
"""Status -> name and meaning of its answer."""
ANYWHERE = {404, 422, 429, 503, 504}
TO_SOMEBODY = {401, 403}
TO_CHANGES = {400, 408, 409, 413}
PROBLEM = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457",
    "required": ["type", "title", "status", "detail", "instance", "errors"],
    "additionalProperties": True,
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "errors": {"type": "array", "items": {"$ref": "#/components/schemas/FieldError"}},
    },
}
FIELD_ERROR = {
    "type": "object",
    "title": "FieldError",
    "required": ["loc", "msg"],
    "properties": {
        "loc": {"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]}},
        "msg": {"type": "string"},
    },
}


def complete(app: FastAPI) -> None:
    """Lets the app's document say all that its operations may answer."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(title=app.title, version=app.version, routes=app.routes)
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas |= {"Problem": PROBLEM, "FieldError": FIELD_ERROR}
    components["responses"] = {name: _answer(words) for name, words in ANSWERS.values()}
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, APIRoute) and route.include_in_schema:
            for method in route.methods or ():
                operation = document["paths"][context.path_format][method.lower()]
                _complete(operation, method, set(_calls(route.dependant)))
    return document


def _calls(dependant: Dependant) -> Iterator[Any]:
    for each in dependant.dependencies:
        yield each.call
        yield from _calls(each)


def _complete(operation: dict[str, Any], method: str, asked: set[Any]) -> None:
    kinds = set(ANYWHERE)
    if get_caller in asked:
        operation["security"] = [{"token": []}] if need_caller in asked else [{"token": []}, {}]
    parameters = [each for each in operation.get("parameters", ()) if each["name"] != "authorization"]
    operation["parameters"] = parameters
    if get_caller in asked:
        kinds |= TO_SOMEBODY
    if method != "GET":
        kinds |= TO_CHANGES
    if "multipart/form-data" in operation.get("requestBody", {}).get("content", {}):
        kinds.add(415)
    for status in sorted(kinds):
        operation["responses"][str(status)] = {"$ref": f"#/components/responses/{ANSWERS[status][0]}"}


def _answer(words: str) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": words, "content": content}
