"""Clocks of the sandbox."""

from sandbox import store
from sandbox.receipts import report
from shared.db import transaction
from shared.service import Context

__all__ = ["forget_nonces", "report"]


async def forget_nonces(context: Context) -> float:
    """Forgets nonces that no signature could use any more."""
    async with transaction(context.engine) as conn:
        await conn.execute(store.SWEEP_NONCES)
    return 600.0
