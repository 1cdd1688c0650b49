"""What commands ask of the broker: how far each group has read."""

from collections.abc import Mapping, Sequence

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError

from shared.messaging.listening import partitions

PATIENCE_MS = 5_000
Groups = Mapping[str, Sequence[str]]
"""Consumer group -> topics it hears, both with the deployment's prefix."""


class LagMeter:
    """Counts, per group, the records it has not committed yet."""

    def __init__(self, bootstrap: str, groups: Groups) -> None:
        self._groups = groups
        self._admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=PATIENCE_MS)
        self._reader = AIOKafkaConsumer(bootstrap_servers=bootstrap, request_timeout_ms=PATIENCE_MS)

    async def __aenter__(self) -> "LagMeter":
        await self._admin.start()
        await self._reader.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._reader.stop()
        await self._admin.close()

    async def measure(self) -> dict[str, int]:
        """Raises KafkaError when the broker does not answer."""
        return {group: await self._behind(group, topics) for group, topics in self._groups.items()}

    async def _behind(self, group: str, topics: Sequence[str]) -> int:
        parts = [part for topic in topics for part in await partitions(self._reader, topic)]
        ends = await self._reader.end_offsets(parts)
        try:
            committed = await self._admin.list_consumer_group_offsets(group)
        except GroupCoordinatorNotAvailableError:
            committed = {}  # a broker that has never seen a group has not made the offsets' topic yet
        read = {part: max(found.offset, 0) for part, found in committed.items()}
        return sum(max(end - read.get(part, 0), 0) for part, end in ends.items())
