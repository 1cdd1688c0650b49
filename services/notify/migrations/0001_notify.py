"""Messages, their attempts, receipts and what people answered."""

from shared.migrate import messaging_tables, sql_beside

revision = "notify_0001"
down_revision = None


def upgrade() -> None:
    messaging_tables()
    sql_beside(__file__)


def downgrade() -> None:
    raise NotImplementedError("what was told to people is not untold: restore a backup instead")
