"""How a provider behaves when it has been told to: slow, refusing, forgetful, too eager."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncConnection

from sandbox import store

Kind = Literal[
    "slow", "refuse", "timeout_after_accept", "double_receipts", "early_receipt", "no_receipts", "fail_receipt"
]
DEFAULT_SECONDS = {"slow": 1.0, "timeout_after_accept": 6.0}
DEFAULT_CODE = {"fail_receipt": "MOBILE_NOT_ON_SERVICE"}


@dataclass(frozen=True)
class Behaviour:
    """What holds for one message."""

    slow: float = 0.0
    """Seconds before it is looked at."""
    refuse: str | None = None
    hang: float = 0.0
    """Seconds between accepting and answering."""
    receipts: int = 1
    early: bool = False
    """The receipt goes out before the answer."""
    failed: str | None = None
    """The receipt says that it failed, with this code."""

    @property
    def state(self) -> str:
        """What becomes of an accepted message."""
        if self.failed:
            return "failed"
        return "delivered" if self.receipts else "waiting"


async def behaviour(conn: AsyncConnection, provider: str, address: bytes) -> Behaviour:
    """What holds for a message to `address`; rules with a count are used up by it."""
    if not (await conn.execute(store.ANY_RULES, {"provider": provider})).scalar_one():
        return Behaviour()
    rows = await store.all_rows(conn, store.USE_RULES, provider=provider, address=address)
    return combine([(row.behaviour, row.seconds, row.code) for row in rows])


def combine(rules: Sequence[tuple[str, float | None, str | None]]) -> Behaviour:
    """Several rules as one behaviour."""
    seconds = {kind: given or DEFAULT_SECONDS.get(kind, 0.0) for kind, given, _ in rules}
    codes = {kind: given or DEFAULT_CODE.get(kind) for kind, _, given in rules}
    receipts = 0 if "no_receipts" in codes else 2 if "double_receipts" in codes else 1
    return Behaviour(
        slow=seconds.get("slow", 0.0),
        refuse=codes.get("refuse"),
        hang=seconds.get("timeout_after_accept", 0.0),
        receipts=receipts,
        early="early_receipt" in codes,
        failed=codes.get("fail_receipt"),
    )


async def wait(seconds: float) -> None:
    if seconds:
        await asyncio.sleep(seconds)
