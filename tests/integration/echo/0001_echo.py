"""What the echo service has heard."""

from shared.migrate import messaging_tables, sql_beside

revision = "echo_0001"
down_revision = None


def upgrade() -> None:
    messaging_tables()
    sql_beside(__file__)


def downgrade() -> None:
    raise NotImplementedError
