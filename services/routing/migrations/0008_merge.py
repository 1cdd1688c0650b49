"""Cases that follow another, and those handed to another system."""

from shared.migrate import sql_beside

revision = "routing_0008"
down_revision = "routing_0007"


def upgrade() -> None:
    sql_beside(__file__)


def downgrade() -> None:
    raise NotImplementedError("a column does no harm to an older version")
