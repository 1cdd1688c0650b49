"""Departments that may read an issue, because a whistle called them."""

from shared.migrate import sql_beside

revision = "intake_0002"
down_revision = "intake_0001"


def upgrade() -> None:
    sql_beside(__file__)


def downgrade() -> None:
    raise NotImplementedError("who may read is history: restore a backup instead")
