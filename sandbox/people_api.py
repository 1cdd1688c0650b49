"""What the demonstration's pages use: people to sign in as, and their telephones."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx2
import orjson
from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from sandbox import people, wecom
from sandbox.inbound import send_from_phone
from sandbox.schemas import ClickIn, Person, PersonOut, TextIn
from shared.auth import issue_token
from shared.http import Ctx, Route
from shared.problems import Problem, not_found
from shared.providers import providers
from shared.service import Context

router = APIRouter(tags=["sandbox"], route_class=Route)


@router.get("/people")
async def get_people(context: Ctx) -> dict[str, list[PersonOut]]:
    """Whom one may sign in as."""
    found = await _phones(context)
    return {"items": [PersonOut.of(person) for person in found.people]}


@router.post("/people/{no}/token")
async def sign_in(no: str, context: Ctx) -> dict[str, str]:
    """A bearer token of a demonstration person."""
    person = await _person(context, no)
    return {"token": issue_token(context.keys, people.principal(person))}


@router.get("/phones")
async def get_phones(context: Ctx, person: Annotated[str | None, Query()] = None) -> dict[str, list[dict[str, Any]]]:
    """What arrived, oldest first: on one telephone, or on all of them."""
    if person is not None:
        await _person(context, person)
    return {"items": await people.bubbles(context, await _phones(context), person)}


@router.get("/phones/live")
async def live(context: Ctx) -> StreamingResponse:
    """The same as they arrive, as server-sent events; a card comes again when its buttons change."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_lines(context), media_type="text/event-stream", headers=headers)


async def _lines(context: Context) -> AsyncIterator[bytes]:
    yield b": here\n\n"
    async for bubble in people.listen(context):
        yield b": still here\n\n" if bubble is None else b"data: " + orjson.dumps(bubble) + b"\n\n"


@router.post("/phones/{no}/send")
async def send(no: str, body: TextIn, context: Ctx) -> dict[str, str]:
    """A text from this telephone, through the provider's callback; its answer comes as a message."""
    person = await _person(context, no)
    number = (await _phones(context)).numbers.get(person.no)
    if number is None:
        raise not_found()
    try:
        return {"answer": await send_from_phone(providers(context.settings, context.keys), number, body.text)}
    except httpx2.HTTPError:
        raise _unheard() from None


@router.post("/phones/{no}/click")
async def click(no: str, body: ClickIn, context: Ctx) -> dict[str, bool]:
    """Presses a button of a card on this telephone."""
    person = await _person(context, no)
    shown = await people.bubbles(context, await _phones(context), person.no)
    if str(body.message) not in [bubble["id"] for bubble in shown]:
        raise not_found()
    try:
        await wecom.press(context, body.message, body.button)
    except wecom.NoButton:
        raise Problem("no-button", 409, "这个按钮已经点过了", "There is no such button any more") from None
    except httpx2.HTTPError:
        raise _unheard() from None
    return {"ok": True}


async def _phones(context: Context) -> people.Phones:
    try:
        return await people.phones(context)
    except httpx2.HTTPError:
        raise _unheard() from None


async def _person(context: Context, no: str) -> Person:
    person = (await _phones(context)).person(no)
    if person is None:
        raise not_found()
    return person


def _unheard() -> Problem:
    return Problem("unheard", 503, "没送到，再试一次", "The callback cannot be reached", headers={"Retry-After": "1"})
