"""The sandbox's ledger of what arrived at telephones, and how it is told to behave."""

from shared.migrate import messaging_tables, sql_beside

revision = "sandbox_0001"
down_revision = None


def upgrade() -> None:
    messaging_tables()
    sql_beside(__file__)


def downgrade() -> None:
    raise NotImplementedError("the sandbox is emptied, not migrated down")
