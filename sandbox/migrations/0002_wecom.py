"""Cards of WeCom with their buttons."""

from shared.migrate import sql_beside

revision = "sandbox_0002"
down_revision = "sandbox_0001"


def upgrade() -> None:
    sql_beside(__file__)


def downgrade() -> None:
    raise NotImplementedError("the sandbox is emptied, not migrated down")
