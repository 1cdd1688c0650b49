"""Issues as they were told."""

from shared.migrate import messaging_tables, sql_beside

revision = "intake_0001"
down_revision = None


def upgrade() -> None:
    messaging_tables()
    sql_beside(__file__)


def downgrade() -> None:
    raise NotImplementedError("what residents told is not thrown away: restore a backup instead")
