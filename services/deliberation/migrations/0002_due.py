"""What is due, as the auditor sees it."""

from shared.migrate import sql_beside

revision = "deliberation_0002"
down_revision = "deliberation_0001"


def upgrade() -> None:
    sql_beside(__file__)


def downgrade() -> None:
    raise NotImplementedError("the auditor would be blind: restore a backup instead")
