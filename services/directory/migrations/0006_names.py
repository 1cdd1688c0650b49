"""What grids are called in addresses, so that an address finds its grid."""

from alembic import op
from sqlalchemy import text

from services.directory.domain.naming import Named, names_of
from shared.migrate import sql_beside

revision = "directory_0006"
down_revision = "directory_0005"

GRIDS = text("SELECT id, level, village, label, parent FROM directory.grid WHERE void_at IS NULL")
INSERT = text("INSERT INTO directory.name (grid, rank, key, short) VALUES (:grid, :rank, :key, :short)")


def upgrade() -> None:
    sql_beside(__file__)
    # A district that is there already need not be imported again.
    grids = [Named(**row) for row in op.get_bind().execute(GRIDS).mappings()]
    names = [{"grid": n.grid, "rank": n.rank, "key": n.key, "short": n.short} for n in names_of(grids)]
    if names:
        op.get_bind().execute(INSERT, names)


def downgrade() -> None:
    raise NotImplementedError("names follow from the tree: leave them")
