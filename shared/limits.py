"""How often somebody may ask: per caller, per phone, per address. Counted in PostgreSQL, so that replicas agree, by
real time. All who ask at the same moment are counted by one statement, so that a busy process pays for few."""

import asyncio
import math
from collections import defaultdict, deque
from dataclasses import dataclass
from ipaddress import ip_address

from sqlalchemy import text
from starlette.requests import HTTPConnection

from shared.auth import Principal
from shared.db import transaction
from shared.problems import too_many
from shared.service import Context

ADMIT = text("SELECT key, granted, wait FROM public.admit(:keys, :gaps, :bursts, :wanted)")


@dataclass(frozen=True, slots=True)
class Limit:
    """So many in so many seconds, of which all may come at once. No limit if `most` is 0."""

    most: int
    seconds: float


@dataclass(slots=True)
class _Asking:
    """Who waits for a key of one limit, in order."""

    limit: Limit
    waiting: deque["asyncio.Future[float]"]


class Limits:
    """The limits of one service in one process."""

    def __init__(self, context: Context) -> None:
        settings = context.settings
        self._context = context
        self._caller = Limit(settings.limit_caller, 60)
        self._address = Limit(settings.limit_address, 60)
        self._phone = Limit(settings.limit_phone, 3600)
        self._asking: dict[bytes, _Asking] = {}
        self._counting: asyncio.Task[None] | None = None

    async def admit_caller(self, caller: Principal) -> None:
        """Raises Problem 429 when the caller has changed too much in the last minute."""
        await self._admit("caller", caller.key.encode(), self._caller)

    async def admit_address(self, request: HTTPConnection) -> None:
        """Raises Problem 429 for somebody without a token who asked too often. An address that is not a public one is
        a machine of the house or a proxy in front: whoever is behind it cannot be told apart, and is not limited."""
        address = client_address(request, self._context.settings.proxies)
        if _is_public(address):
            await self._admit("address", address.encode(), self._address)

    async def admit_phone(self, index: bytes) -> None:
        """`index`: the phone's keyed hash. Raises Problem 429 when too much was reported from it in the last hour."""
        await self._admit("phone", index, self._phone)

    async def _admit(self, kind: str, who: bytes, limit: Limit) -> None:
        if limit.most == 0:
            return
        key = self._context.keys.digest(f"limit {kind}", who)
        answer: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._asking.setdefault(key, _Asking(limit, deque())).waiting.append(answer)
        if self._counting is None:
            self._counting = asyncio.create_task(self._count())
        wait = await answer
        if wait > 0:
            raise too_many(math.ceil(wait))

    async def _count(self) -> None:
        """Counts all who have asked meanwhile, again and again until nobody asks."""
        try:
            while self._asking:
                asking, self._asking = self._asking, {}
                await self._count_these(asking)
        finally:
            self._counting = None

    async def _count_these(self, asking: dict[bytes, _Asking]) -> None:
        try:
            async with transaction(self._context.engine) as conn:
                rows = (await conn.execute(ADMIT, _columns(asking))).all()
        except BaseException as error:
            for each in asking.values():
                _tell(each.waiting, error)
            if not isinstance(error, Exception):
                raise
            return
        for row in rows:
            waiting = asking[bytes(row.key)].waiting
            for _ in range(row.granted):
                _tell(deque([waiting.popleft()]), 0.0)
            _tell(waiting, max(row.wait, 1e-3))


def _columns(asking: dict[bytes, _Asking]) -> dict[str, list[object]]:
    columns: dict[str, list[object]] = defaultdict(list)
    for key, each in asking.items():
        columns["keys"].append(key)
        columns["gaps"].append(each.limit.seconds / each.limit.most)
        columns["bursts"].append(each.limit.most)
        columns["wanted"].append(len(each.waiting))
    return columns


def _tell(waiting: deque["asyncio.Future[float]"], said: float | BaseException) -> None:
    for answer in waiting:
        if answer.done():  # who asked has hung up
            continue
        if isinstance(said, float):
            answer.set_result(said)
        else:
            answer.set_exception(said)


def client_address(request: HTTPConnection, proxies: int) -> str:
    """Whose request it is: behind so many proxies of our own, the last address but so many that they wrote down. What
    stands further left anybody can claim."""
    told = ",".join(request.headers.getlist("x-forwarded-for"))
    chain = [each.strip() for each in told.split(",") if each.strip()]
    if 0 < proxies <= len(chain):
        return chain[-proxies]
    return request.client.host if request.client else ""


def _is_public(address: str) -> bool:
    try:
        return ip_address(address).is_global
    except ValueError:
        return False
