"""Access tokens: one for all calls of all processes, a new one when the provider says that it has ended."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from services.notify.channels.base import Answer, Refused
from services.notify.domain.outcomes import OUTCOMES, Action


@dataclass(frozen=True)
class TokenStore:
    """Where the access token is kept between processes."""

    load: Callable[[], Awaitable[str | None]]
    save: Callable[[str, float], Awaitable[None]]
    """(token, seconds it lives)"""


@dataclass(frozen=True)
class Fetched:
    """A token as the provider gave it, and for how many seconds."""

    token: str
    seconds: float


Fetch = Callable[[bool], Awaitable[Fetched | Refused]]
"""Asks the provider for a token; True: the present one is refused."""


class Tokens:
    """The token of one account."""

    def __init__(self, provider: str, kept: TokenStore, fetch: Fetch) -> None:
        self._provider = provider
        self._kept = kept
        self._fetch = fetch
        self._token: str | None = None
        self._refreshing = asyncio.Lock()

    async def use(self, call: Callable[[str], Awaitable[Answer]]) -> Answer:
        """A call with the token; once more with a new one if the provider refuses this one."""
        token = await self._get(stale=None)
        if isinstance(token, Refused):
            return token
        answer = await call(token)
        if isinstance(answer, Refused) and OUTCOMES[self._provider].get(answer.code) is Action.NEW_TOKEN:
            token = await self._get(stale=token)
            return token if isinstance(token, Refused) else await call(token)
        return answer

    async def _get(self, stale: str | None) -> str | Refused:
        """The token; a new one if the present one is `stale`. One caller fetches, the others wait for it."""
        async with self._refreshing:
            if self._token == stale:
                self._token = await self._kept.load() if stale is None else None
            if self._token is not None:
                return self._token
            fetched = await self._fetch(stale is not None)
            if isinstance(fetched, Refused):
                return fetched
            # Given up a little early, so that none ends on its way.
            await self._kept.save(fetched.token, max(60.0, fetched.seconds - 300))
            self._token = fetched.token
            return self._token
