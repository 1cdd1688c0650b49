"""Emergencies that are due are found behind any number of other cases."""

from shared.migrate import sql_beside

revision = "routing_0004"
down_revision = "routing_0003"


def upgrade() -> None:
    sql_beside(__file__)


def downgrade() -> None:
    raise NotImplementedError("an index does no harm to an older version")
