"""PostgreSQL: one engine per service and process, one transaction per use case."""

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from weakref import WeakKeyDictionary

import orjson
from sqlalchemy import event, make_url, text
from sqlalchemy.exc import DBAPIError, InvalidatePoolError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from shared.keys import Keys

OWNER = "chuishao"
LADDER_LOCK = 0x1ADDE2
"""Advisory lock: shared by whoever opens a hop, exclusive for whoever changes posts, absences or the tree.
Without it a hop opened on an old snapshot goes to someone who has just left."""

TIMEOUTS = {
    "statement_timeout": "60s",
    "lock_timeout": "15s",
    # A process that is frozen in a transaction loses its locks before anybody who waits for them gives up.
    "idle_in_transaction_session_timeout": "10s",
}
# Connection lost, not let in (the master key was rotated under us), made to give way (deadlock, lock time-out), out of
# room, shutting down, disk trouble, a standby, or ended by the time-outs above while idle.
_AWAY = ("08", "28P01", "40", "55P03", "53", "57P", "58", "25006", "25P03")
DISK_FULL = "53100"
_EVENTS_WRITTEN, _RETURNED = "chuishao.events", "chuishao.returned"
IDLE_SECONDS = 1.0
"""After so long in the pool a connection is asked whether it is alive. What breaks sooner is said with a 503."""

LADDER_SHARED = text("SELECT pg_advisory_xact_lock_shared(:key)").bindparams(key=LADDER_LOCK)
LADDER_EXCLUSIVE = text("SELECT pg_advisory_xact_lock(:key)").bindparams(key=LADDER_LOCK)


class DatabaseAway(Exception):
    """PostgreSQL cannot be reached, is shutting down or out of room, the pool is empty, or the transaction had to give
    way to another. Nothing was changed; try again."""


class DiskFull(DatabaseAway):
    """PostgreSQL's disk is full. Nothing was changed; once there is room, trying again is enough."""


def role_name(service: str) -> str:
    return f"{OWNER}_{service}"


def service_url(owner_url: str, service: str, keys: Keys) -> str:
    """The owner's URL turned into the one of a service's own login role."""
    role = role_name(service)
    return (
        make_url(owner_url).set(username=role, password=keys.role_password(role)).render_as_string(hide_password=False)
    )


def make_engine(url: str, *, pool: int = 5, application: str = OWNER) -> AsyncEngine:
    """An engine of `pool` connections with server-side time-outs; one lost while idle is noticed before use."""
    engine = create_async_engine(
        url,
        pool_size=pool,
        max_overflow=0,
        pool_timeout=5,
        hide_parameters=True,  # an error's text must not quote a phone into a log
        json_serializer=lambda value: orjson.dumps(value, default=str).decode(),
        json_deserializer=orjson.loads,
        connect_args={"server_settings": {**TIMEOUTS, "application_name": application}, "timeout": 5},
    )
    event.listen(engine.sync_engine, "checkin", _note_return)
    event.listen(engine.sync_engine, "checkout", _ask_whether_alive)
    return engine


def _note_return(_: object, record: ConnectionPoolEntry) -> None:
    record.info[_RETURNED] = time.monotonic()


def _ask_whether_alive(connection: Any, record: ConnectionPoolEntry, _: object) -> None:
    """`pool_pre_ping` for what has lain idle: it costs three round trips, more than most transactions of ours."""
    if time.monotonic() - record.info.get(_RETURNED, math.inf) < IDLE_SECONDS:
        return
    try:
        connection.ping()
    except Exception as error:
        raise InvalidatePoolError from error


_wakes: WeakKeyDictionary[AsyncEngine, asyncio.Event] = WeakKeyDictionary()


def events_written(engine: AsyncEngine) -> asyncio.Event:
    """Set after every commit that wrote events, so that the relay of this process need not wait for its poll."""
    return _wakes.setdefault(engine, asyncio.Event())


def note_events(conn: AsyncConnection) -> None:
    """To be called by whoever inserts into the outbox."""
    conn.sync_connection.info[_EVENTS_WRITTEN] = True  # type: ignore[union-attr]


@asynccontextmanager
async def transaction(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """One transaction: committed when the block ends, rolled back when it raises.

    Raises DatabaseAway when the server cannot be reached or went away; then nothing is known to be changed.
    """
    connected = False
    try:
        async with engine.connect() as conn:
            connected, wrote = True, False
            try:
                async with conn.begin():
                    conn.sync_connection.info.pop(_EVENTS_WRITTEN, None)  # type: ignore[union-attr]
                    yield conn
                    wrote = bool(conn.sync_connection.info.pop(_EVENTS_WRITTEN, False))  # type: ignore[union-attr]
            finally:
                if wrote:
                    events_written(engine).set()
    except (DBAPIError, PoolTimeout, OSError) as error:
        # Before there is a connection, a missing socket or a time-out is the server's; after that, the caller's.
        if is_away(error) or (not connected and isinstance(error, OSError)):
            raise (DiskFull if _sqlstate(error) == DISK_FULL else DatabaseAway)(type(error).__name__) from error
        raise


def is_away(error: BaseException) -> bool:
    """Whether an error means that the server (not the statement) is the trouble."""
    if isinstance(error, DBAPIError):
        away = _sqlstate(error).startswith(_AWAY) or "connection is closed" in str(error.orig)
        return error.connection_invalidated or away
    return isinstance(error, PoolTimeout | ConnectionError | DatabaseAway)


def _sqlstate(error: BaseException) -> str:
    return str(getattr(error.orig, "sqlstate", "") or "") if isinstance(error, DBAPIError) else ""


async def clock_now(conn: AsyncConnection) -> datetime:
    """The time every rule goes by (UTC, aware): the database's, plus the shift of a controllable clock."""
    now: datetime = (await conn.execute(text("SELECT public.clock_now()"))).scalar_one()
    return now


def statement_counter(engine: AsyncEngine) -> list[int]:
    """Counts statements of an engine from now on; for tests and benchmarks that promise "set-based"."""
    count = [0]

    @event.listens_for(engine.sync_engine, "before_cursor_execute")
    def _count(*_: object) -> None:
        count[0] += 1

    return count
