"""Deliberation may read the views, also where its role was made after them."""

from shared.migrate import sql_beside

revision = "directory_0005"
down_revision = "directory_0004"


def upgrade() -> None:
    sql_beside(__file__)


def downgrade() -> None:
    raise NotImplementedError("rights end with their roles")
