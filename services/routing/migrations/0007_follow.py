"""Absences that begin and end by the clock."""

from shared.migrate import sql_beside

revision = "routing_0007"
down_revision = "routing_0006"


def upgrade() -> None:
    sql_beside(__file__)


def downgrade() -> None:
    raise NotImplementedError("a table more does no harm to an older version")
