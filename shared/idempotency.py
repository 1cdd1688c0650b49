"""`Idempotency-Key`: an act repeated with its key gives its first answer, whatever happened since."""

import hmac
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.keys import Keys
from shared.problems import FieldError, Problem

Answer = tuple[int, dict[str, Any]]
MAX_KEY = 200

# One caller's same key waits here for its twin, so that 50 at once do the act once. Many keys in one order, so that two
# groups never wait for each other.
LOCK = text(
    "SELECT pg_advisory_xact_lock(h) FROM (SELECT DISTINCT hashtextextended(caller || chr(31) || key, 0) AS h"
    " FROM unnest(CAST(:callers AS text[]), CAST(:keys AS text[])) AS a(caller, key) ORDER BY h) AS locks"
)
FIND = text(
    "SELECT caller, key, request, status, answer FROM idempotency"
    " JOIN unnest(CAST(:callers AS text[]), CAST(:keys AS text[])) AS a(caller, key) USING (caller, key)"
)
# Real time: a key is kept for three days, however the clock of the rules is moved.
KEEP = text(
    "INSERT INTO idempotency (caller, key, request, status, answer)"
    " SELECT caller, key, decode(request, 'hex'), status, answer FROM jsonb_to_recordset(:rows)"
    " AS r(caller text, key text, request text, status int, answer jsonb)"
).bindparams(bindparam("rows", type_=JSONB))
SWEEP = text("DELETE FROM idempotency WHERE created_at < now() - interval '3 days'")


@dataclass(frozen=True, slots=True)
class Asked:
    """An act as it was asked for. `caller` names who may share keys (a person, a case's code holder); `request` is what
    a repetition must match."""

    caller: str
    key: str | None
    request: bytes


async def once(
    conn: AsyncConnection,
    keys: Keys,
    caller: str,
    key: str | None,
    request: bytes,
    act: Callable[[], Awaitable[Answer]],
) -> Answer:
    """Does `act` in this transaction, or gives the answer it gave the first time; see `Asked`. Only a keyed hash of
    `request` is kept.

    Raises Problem 422 `idempotency-key-reused` when the key came with another request before. A refusal (Problem)
    is not kept: it changed nothing.
    """

    async def one(_: Sequence[int]) -> Sequence[Answer]:
        return [await act()]

    (answer,) = await once_each(conn, keys, [Asked(caller, key, request)], one)
    if isinstance(answer, Problem):
        raise answer
    return answer


async def once_each(
    conn: AsyncConnection,
    keys: Keys,
    asked: Sequence[Asked],
    act: Callable[[Sequence[int]], Awaitable[Sequence[Answer | Problem]]],
) -> list[Answer | Problem]:
    """`once` for many acts in one transaction. `act` gets the places in `asked` of what is to be done, each key once,
    and answers or refuses each."""
    found: dict[int, Answer | Problem] = {}
    first: dict[tuple[str, str], int] = {}
    for i, each in enumerate(asked):
        if each.key is not None and not (each.key.strip() and len(each.key) <= MAX_KEY):
            found[i] = _bad_key("长度要在 1 到 200 之间", "must have 1 to 200 characters")
        elif each.key is not None:
            first.setdefault((each.caller, each.key), i)
    digests = {i: keys.digest("request", asked[i].request) for i in first.values()}
    known = await _known(conn, first)
    todo = [
        i
        for i, each in enumerate(asked)
        if i not in found and (each.key is None or ((each.caller, each.key) not in known and i in digests))
    ]
    if todo:
        found.update(zip(todo, await act(todo), strict=True))
    fresh = {pair: (digests[i], found[i]) for pair, i in first.items() if i in found}
    await _keep(conn, fresh)
    for i, each in enumerate(asked):
        if i not in found:
            assert each.key is not None
            digest, answer = (known | fresh)[each.caller, each.key]
            same = hmac.compare_digest(digest, keys.digest("request", each.request))
            found[i] = answer if same else _bad_key("这个键已用于另一个请求", "was used for another request")
    return [found[i] for i in range(len(asked))]


async def _known(
    conn: AsyncConnection, pairs: Collection[tuple[str, str]]
) -> dict[tuple[str, str], tuple[bytes, Answer | Problem]]:
    """What was answered before, by caller and key; the keys are ours until the transaction ends."""
    if not pairs:
        return {}
    columns = {"callers": [caller for caller, _ in pairs], "keys": [key for _, key in pairs]}
    await conn.execute(LOCK, columns)
    rows = await conn.execute(FIND, columns)
    return {(row.caller, row.key): (bytes(row.request), (int(row.status), dict(row.answer))) for row in rows}


async def _keep(conn: AsyncConnection, fresh: Mapping[tuple[str, str], tuple[bytes, Answer | Problem]]) -> None:
    rows = [
        {"caller": caller, "key": key, "request": digest.hex(), "status": answer[0], "answer": answer[1]}
        for (caller, key), (digest, answer) in fresh.items()
        if not isinstance(answer, Problem)
    ]
    if rows:
        await conn.execute(KEEP, {"rows": rows})


def _bad_key(zh: str, en: str) -> Problem:
    return Problem(
        "idempotency-key",
        422,
        "幂等键不可用",
        "The idempotency key cannot be used",
        [FieldError(("header", "Idempotency-Key"), zh, en)],
    )
