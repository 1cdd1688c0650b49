"""Grids are merged into others."""

from shared.migrate import sql_beside

revision = "directory_0007"
down_revision = "directory_0006"


def upgrade() -> None:
    sql_beside(__file__)


def downgrade() -> None:
    raise NotImplementedError("where a merged grid's cases belong would be lost")
