"""Topics, meetings, seats, bookings."""

from shared.migrate import messaging_tables, sql_beside

revision = "deliberation_0001"
down_revision = None


def upgrade() -> None:
    messaging_tables()
    sql_beside(__file__)


def downgrade() -> None:
    raise NotImplementedError("what was deliberated is not thrown away: restore a backup instead")
