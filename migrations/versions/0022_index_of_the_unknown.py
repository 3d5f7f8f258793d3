"""An index of the unknown that SQLite takes: it preferred one over every unresolved event, on every page.

Without statistics it counts equal columns, so the condition's own are the first of the index. The old index goes with
it: nothing but speed needs either, so older code runs on.

Revision ID: 0022
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_DOUBTFUL = sa.text("last_outcome = 'unknown' AND status = 'unresolved'")


def upgrade() -> None:
    columns = ["last_outcome", "status", "id"]
    op.create_index("ix_events_doubtful", "events", columns, sqlite_where=_DOUBTFUL, postgresql_where=_DOUBTFUL)
    op.drop_index("ix_events_unknown", "events")


def downgrade() -> None:
    op.create_index("ix_events_unknown", "events", ["id"], sqlite_where=_DOUBTFUL, postgresql_where=_DOUBTFUL)
    op.drop_index("ix_events_doubtful", "events")
