"""Speaks to the running system through its public interfaces, as any caller."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

import httpx2

from chuishao.target import Target
from shared.auth import Principal, issue_token


class RefusedError(Exception):
    """An answer that was an error; the text is its title."""

    def __init__(self, status: int, title: str) -> None:
        super().__init__(f"{status} {title}")
        self.status = status


class Client:
    """One caller, or nobody in particular."""

    def __init__(self, http: httpx2.AsyncClient, target: Target, caller: Principal | None = None) -> None:
        self._http = http
        self._target = target
        self._caller = caller

    def acting_as(self, caller: Principal) -> Self:
        """The same system as somebody else."""
        return type(self)(self._http, self._target, caller)

    async def get(self, path: str, **query: str) -> dict[str, Any]:
        """Raises RefusedError, or httpx2.HTTPError when nothing answers."""
        return await self._send("GET", path, params=query)

    async def post(self, path: str, body: dict[str, Any], **query: str) -> dict[str, Any]:
        """Raises RefusedError, or httpx2.HTTPError when nothing answers."""
        return await self._send("POST", path, json=body, params=query)

    async def _send(self, method: str, path: str, **how: Any) -> dict[str, Any]:
        headers = {}
        if self._caller:
            headers["Authorization"] = f"Bearer {issue_token(self._target.keys, self._caller)}"
        answer = await self._http.request(method, path, headers=headers, **how)
        body: dict[str, Any] = answer.json()
        if answer.is_error:
            raise RefusedError(answer.status_code, str(body.get("title", "")))
        return body


@asynccontextmanager
async def connected(target: Target) -> AsyncIterator[Client]:
    """A client for as long as it is needed. The system is our own: no proxy of the environment lies between."""
    async with httpx2.AsyncClient(base_url=target.base_url, timeout=10, trust_env=False) as http:
        yield Client(http, target)
