"""Questions that can be answered by a text or a button, and the answers."""

from shared.migrate import sql_beside

revision = "notify_0002"
down_revision = "notify_0001"


def upgrade() -> None:
    sql_beside(__file__)


def downgrade() -> None:
    raise NotImplementedError("notify's history is not taken back")
