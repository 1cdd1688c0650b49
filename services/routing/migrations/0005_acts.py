"""Acts that need a second person."""

from shared.migrate import sql_beside

revision = "routing_0005"
down_revision = "routing_0004"


def upgrade() -> None:
    sql_beside(__file__)


def downgrade() -> None:
    raise NotImplementedError("a table does no harm to an older version")
