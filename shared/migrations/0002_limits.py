"""How often somebody may ask."""

from alembic import op

from shared.migrate import sql_beside

revision = "shared_0002"
down_revision = "shared_0001"


def upgrade() -> None:
    sql_beside(__file__)


def downgrade() -> None:
    op.execute("DROP FUNCTION public.admit; DROP TABLE public.allowance")
