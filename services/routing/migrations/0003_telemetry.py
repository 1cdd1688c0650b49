"""The trace of a case, and what is due as the auditor sees it."""

from shared.migrate import sql_beside

revision = "routing_0003"
down_revision = "routing_0002"


def upgrade() -> None:
    sql_beside(__file__)


def downgrade() -> None:
    raise NotImplementedError("the program before it would be blind: restore a backup instead")
