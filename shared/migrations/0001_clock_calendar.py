"""The clock and the working-time calendar."""

from shared.migrate import sql_beside

revision = "shared_0001"
down_revision = None


def upgrade() -> None:
    sql_beside(__file__)


def downgrade() -> None:
    raise NotImplementedError("the clock is the floor of everything: restore a backup instead")
