"""The auditor's looks and incidents; the trace of a message."""

from shared.migrate import sql_beside

revision = "notify_0003"
down_revision = "notify_0002"


def upgrade() -> None:
    sql_beside(__file__)


def downgrade() -> None:
    raise NotImplementedError("incidents are history: restore a backup instead")
