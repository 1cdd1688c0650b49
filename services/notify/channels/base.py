"""What every channel is given and answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import httpx2
import orjson

from services.notify.domain.outcomes import UNREACHABLE

TIMEOUT = 5.0
"""Seconds (real time) a provider has to answer a call."""


@dataclass(frozen=True)
class Order:
    """A message to send. `address` and `values` never show in logs."""

    message: UUID
    """Our id for it, given to the provider: the same in every try of a channel."""
    template: str
    address: str = field(repr=False)
    values: Mapping[str, str] = field(repr=False)
    at: datetime
    """When the attempt was begun, by the clock of the rules."""
    age: float = 0.0
    """Seconds (real time) since then."""


@dataclass(frozen=True)
class Accepted:
    """The provider has it; `ref` is its number for it, None when it did not say."""

    ref: str | None


@dataclass(frozen=True)
class Delivered:
    """Asked for its status, the provider says that it arrived."""


@dataclass(frozen=True)
class Refused:
    """The provider will not send it; `code` is its own."""

    code: str


@dataclass(frozen=True)
class Unknown:
    """Nobody knows whether it was sent: the status has to be asked before anything is sent again."""


Answer = Accepted | Delivered | Refused | Unknown


class Channel(Protocol):
    """A way to reach a person. Neither call raises for anything a provider or the network may do."""

    async def send(self, order: Order) -> Answer:
        """Sends once."""
        ...

    async def ask(self, order: Order) -> Answer:
        """What became of a call with unknown end; never sends a second one."""
        ...


async def call(client: httpx2.AsyncClient, method: str, url: str, **request: Any) -> dict[str, Any] | Refused | Unknown:
    """A call answered in JSON; without a connection nothing was sent, after it nobody knows."""
    try:
        response = await client.request(method, url, timeout=TIMEOUT, **request)
        body = orjson.loads(response.content)
    except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout):
        return Refused(UNREACHABLE)
    except (httpx2.HTTPError, ValueError):
        return Unknown()
    return body if isinstance(body, dict) else Unknown()
