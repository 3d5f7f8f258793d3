"""What each worker does right now, and which worker a helping process belongs to.

Revision ID: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("workers", sa.Column("lead", sa.Text))
    op.add_column("workers", sa.Column("activity", sa.JSON))


def downgrade() -> None:
    op.drop_column("workers", "activity")
    op.drop_column("workers", "lead")
