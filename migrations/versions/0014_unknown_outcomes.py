"""An index of the events whose last outcome is unknown and that nobody has settled since: a short list of their own.

Revision ID: 0014
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    doubtful = sa.text("last_outcome = 'unknown' AND status = 'unresolved'")
    op.create_index("ix_events_unknown", "events", ["id"], sqlite_where=doubtful, postgresql_where=doubtful)


def downgrade() -> None:
    op.drop_index("ix_events_unknown", "events")
