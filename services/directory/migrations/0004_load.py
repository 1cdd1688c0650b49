"""Open whistles of departments: their load."""

from shared.migrate import sql_beside

revision = "directory_0004"
down_revision = "directory_0003"


def upgrade() -> None:
    sql_beside(__file__)


def downgrade() -> None:
    raise NotImplementedError("the load is heard from events: restore a backup instead")
