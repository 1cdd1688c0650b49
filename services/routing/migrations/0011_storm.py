"""Storms of like reports, and what comes again and again."""

from shared.migrate import sql_beside

revision = "routing_0011"
down_revision = "routing_0010"


def upgrade() -> None:
    sql_beside(__file__)


def downgrade() -> None:
    raise NotImplementedError("a table does no harm to an older version")
