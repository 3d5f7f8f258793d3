"""How many groups come into being, and of which functions: when a fingerprint fails to mask something, it shows.

Revision ID: 0020
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "group_births",
        sa.Column("slot", sa.BigInteger, nullable=False),
        sa.Column("function_name", sa.Text, nullable=False),
        sa.Column("n", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("slot", "function_name", name="pk_group_births"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("group_births")
