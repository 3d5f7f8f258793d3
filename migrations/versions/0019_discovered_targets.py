"""Keep which targets a discovery showed: a redrive sends to those, and to what is configured.

Revision ID: 0019
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "discovered_targets",
        sa.Column("reach", sa.Text, nullable=False),
        sa.Column("arn", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("reach", "arn", name="pk_discovered_targets"),
    )


def downgrade() -> None:
    op.drop_table("discovered_targets")
