"""The supervision list has notes, somebody in charge and a clock of its own."""

from shared.migrate import sql_beside

revision = "routing_0010"
down_revision = "routing_0009"


def upgrade() -> None:
    sql_beside(__file__)


def downgrade() -> None:
    raise NotImplementedError("the notes would be lost")
