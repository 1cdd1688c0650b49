"""The grid tree, the posts, and what other services may read of them."""

from shared.migrate import messaging_tables, sql_beside

revision = "directory_0001"
down_revision = None


def upgrade() -> None:
    messaging_tables()
    sql_beside(__file__)


def downgrade() -> None:
    raise NotImplementedError("a district's tree is not given up: restore a backup instead")
