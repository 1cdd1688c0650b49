"""What a service is to the process that runs it, and what the process gives to a service."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fastapi import APIRouter
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.contracts import Contract
from shared.keys import Keys
from shared.messaging.events import Event
from shared.settings import Settings


@dataclass(frozen=True)
class Context:
    """A service's surroundings in one process: its database (as its own role), its keys, its broker."""

    name: str
    engine: AsyncEngine
    keys: Keys
    settings: Settings
    kafka: str = ""
    """`HOST:PORT` of a broker; empty in tests that need none."""


Handler = Callable[[AsyncConnection, Context, Sequence[Event]], Awaitable[None]]
"""Applies a batch of events of one type inside the inbox's transaction. Never waits for anything but PostgreSQL."""

Job = Callable[[Context], Awaitable[float]]
"""Does what is due, in batches, and returns the seconds until it wants to run again (at most 1)."""

Observer = Callable[[AsyncConnection], Awaitable[None]]
"""Looks at its service's tables and sets gauges."""


@dataclass(frozen=True)
class Service:
    """A service as its `app.py` declares it."""

    name: str
    migrations: Path
    router: APIRouter | None = None
    handlers: Mapping[type[Contract], Handler] = field(default_factory=dict)
    topics: Sequence[str] = ()
    """Topics it hears, without prefix; types without a handler are counted as seen."""
    jobs: Sequence[Job] = ()
    observe: Observer | None = None
    """Sets gauges of its own, every few seconds."""
    bodies: Mapping[str, int] = field(default_factory=dict)
    """Bytes a request may have, for paths of its own that take more than others."""
    live: Sequence[str] = ()
    """Topics whose events open pages are told of, at `/live`."""
