"""Who decided what: policies with their text, a district's own calendar, maintenance."""

from shared.migrate import sql_beside

revision = "routing_0006"
down_revision = "routing_0005"


def upgrade() -> None:
    sql_beside(__file__)


def downgrade() -> None:
    raise NotImplementedError("an older version does not read what is new here")
