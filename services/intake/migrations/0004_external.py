"""Numbers of other systems are found."""

from shared.migrate import sql_beside

revision = "intake_0004"
down_revision = "intake_0003"


def upgrade() -> None:
    sql_beside(__file__)


def downgrade() -> None:
    raise NotImplementedError("an index does no harm to an older version")
