"""`Idempotency-Key`: an act repeated with its key gives its first answer, whatever happened since."""

import hmac
from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy import JSON, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.keys import Keys
from shared.problems import FieldError, Problem

Answer = tuple[int, dict[str, Any]]
MAX_KEY = 200

# One caller's same key waits here for its twin, so that 50 at once do the act once.
LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:caller || chr(31) || :key, 0))")
FIND = text("SELECT request, status, answer FROM idempotency WHERE caller = :caller AND key = :key")
# Real time: a key is kept for three days, however the clock of the rules is moved.
KEEP = text(
    "INSERT INTO idempotency (caller, key, request, status, answer) VALUES (:caller, :key, :request, :status, :answer)"
).bindparams(bindparam("answer", type_=JSON))
SWEEP = text("DELETE FROM idempotency WHERE created_at < now() - interval '3 days'")


async def once(
    conn: AsyncConnection,
    keys: Keys,
    caller: str,
    key: str | None,
    request: bytes,
    act: Callable[[], Awaitable[Answer]],
) -> Answer:
    """Does `act` in this transaction, or gives the answer it gave the first time.

    `caller` names who may share keys (a person, a case's code holder); only a keyed hash of `request` is kept.
    Raises Problem 422 `idempotency-key-reused` when the key came with another request before. A refusal (Problem)
    is not kept: it changed nothing.
    """
    if key is None:
        return await act()
    if not key.strip() or len(key) > MAX_KEY:
        raise _bad_key("长度要在 1 到 200 之间", "must have 1 to 200 characters")
    await conn.execute(LOCK, {"caller": caller, "key": key})
    digest = keys.digest("request", request)
    found = (await conn.execute(FIND, {"caller": caller, "key": key})).one_or_none()
    if found:
        if not hmac.compare_digest(bytes(found.request), digest):
            raise _bad_key("这个键已用于另一个请求", "was used for another request")
        return int(found.status), dict(found.answer)
    status, answer = await act()
    await conn.execute(KEEP, {"caller": caller, "key": key, "request": digest, "status": status, "answer": answer})
    return status, answer


def _bad_key(zh: str, en: str) -> Problem:
    return Problem(
        "idempotency-key",
        422,
        "幂等键不可用",
        "The idempotency key cannot be used",
        [FieldError(("header", "Idempotency-Key"), zh, en)],
    )
