"""Who may read the views and call the vault's functions."""

from shared.migrate import sql_beside

revision = "directory_0003"
down_revision = "directory_0002"


def upgrade() -> None:
    sql_beside(__file__)


def downgrade() -> None:
    raise NotImplementedError("rights end with their roles")
