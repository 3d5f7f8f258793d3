"""What went within the last second: lateness is made up for over a longer time, and no second sees too much.

Revision ID: 0017
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("redrives", "target_paces"):
        op.add_column(table, sa.Column("gone", sa.JSON))


def downgrade() -> None:
    for table in ("redrives", "target_paces"):
        op.drop_column(table, "gone")
