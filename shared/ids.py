"""UUIDs of version 7: ordered by time, so that an index grows at its end."""

from uuid import UUID

import uuid_utils


def new_id() -> UUID:
    return UUID(bytes=uuid_utils.uuid7().bytes)
