"""Where photos lie: in the data directory, or in a bucket that several processes share."""

import asyncio
import contextlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import structlog
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, S3Store

from shared.problems import Problem
from shared.settings import Settings
from shared.telemetry import describe

if TYPE_CHECKING:  # names that exist for type checkers only
    from obstore.store import ClientConfig, S3Config

log = structlog.get_logger()
TIMES: "ClientConfig" = {"timeout": "20s", "connect_timeout": "5s"}


class Shelf:
    """Photos by id. obstore's calls run in threads: those of its own that `…_async` uses abort a process that ends soon
    after."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def put(self, photo: UUID, data: bytes) -> None:
        """Raises Problem 503 when the disk is full or the bucket away."""
        try:
            await asyncio.to_thread(self._store.put, _name(photo), data)
        except (BaseError, OSError) as error:
            raise _away(error) from error

    async def get(self, photo: UUID) -> bytes | None:
        """None when it is not there. Raises Problem 503."""
        try:
            return await asyncio.to_thread(lambda: bytes(self._store.get(_name(photo)).bytes()))
        except FileNotFoundError:
            return None
        except (BaseError, OSError) as error:
            raise _away(error) from error

    async def drop(self, photo: UUID) -> None:
        """Also when it is gone already. Raises Problem 503."""
        try:
            with contextlib.suppress(FileNotFoundError):
                await asyncio.to_thread(self._store.delete, _name(photo))
        except (BaseError, OSError) as error:
            raise _away(error) from error


def shelf_of(settings: Settings) -> Shelf:
    """The shelf that settings name. Raises Problem 503 where its directory cannot be made."""
    bucket = (settings.s3_endpoint, settings.s3_region, settings.s3_access_key_id, settings.s3_secret_access_key)
    try:
        return _shelf(settings.photos, settings.data, *bucket)
    except (BaseError, OSError) as error:
        raise _away(error) from error


@cache
def _shelf(where: str, data: Path, endpoint: str, region: str, key: str | None, secret: str | None) -> Shelf:
    bucket = where.removeprefix("s3://")
    if bucket == where:
        return Shelf(LocalStore(Path(where) if where else data / "photos", mkdir=True))
    name, _, prefix = bucket.partition("/")
    config: S3Config = {"region": region}
    if endpoint:
        config["endpoint"] = endpoint
    if key and secret:
        config |= {"access_key_id": key, "secret_access_key": secret}
    plain = endpoint.startswith("http://")
    return Shelf(S3Store(name, prefix=prefix or None, config=config, client_options={**TIMES, "allow_http": plain}))


def _name(photo: UUID) -> str:
    return f"{photo}.jpg"


def _away(error: Exception) -> Problem:
    log.error("photos.away", error=describe(error))
    return Problem(
        "photos-away",
        503,
        "照片现在存不了、也取不了，请稍后再试",
        "Photos cannot be kept or fetched now, try again",
        headers={"Retry-After": "10"},
    )
