"""Urgent messages are found in front of any number of others."""

from shared.migrate import sql_beside

revision = "notify_0004"
down_revision = "notify_0003"


def upgrade() -> None:
    sql_beside(__file__)


def downgrade() -> None:
    raise NotImplementedError("an index does no harm to an older version")
