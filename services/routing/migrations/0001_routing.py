"""Cases, hops, history, policies."""

from shared.migrate import messaging_tables, sql_beside

revision = "routing_0001"
down_revision = None


def upgrade() -> None:
    messaging_tables()
    sql_beside(__file__)


def downgrade() -> None:
    raise NotImplementedError("the first revision holds all cases: restore a backup instead")
