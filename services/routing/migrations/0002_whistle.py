"""Whistles, and what holds a case beside the resident's question."""

from shared.migrate import sql_beside

revision = "routing_0002"
down_revision = "routing_0001"


def upgrade() -> None:
    sql_beside(__file__)


def downgrade() -> None:
    raise NotImplementedError("whistles are history: restore a backup instead")
