"""The vault of personal data and its functions."""

from shared.migrate import sql_beside

revision = "directory_0002"
down_revision = "directory_0001"


def upgrade() -> None:
    sql_beside(__file__)


def downgrade() -> None:
    raise NotImplementedError("personal data is erased person by person, never by a migration")
