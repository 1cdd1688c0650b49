"""Photos, and what lets another service use one in its own transaction."""

from shared.migrate import sql_beside

revision = "intake_0003"
down_revision = "intake_0002"


def upgrade() -> None:
    sql_beside(__file__)


def downgrade() -> None:
    raise NotImplementedError("what residents showed is not thrown away: restore a backup instead")
