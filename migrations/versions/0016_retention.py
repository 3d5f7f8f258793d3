"""What is kept how long; what was deleted stays counted in its redrives and its source.

Revision ID: 0016
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "retention_rules",
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("source_arn", sa.Text, nullable=False),
        sa.Column("days", sa.Integer),
        sa.Column("bytes", sa.BigInteger),
        sa.Column("changed_by", sa.Text, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("status", "source_arn", name="pk_retention_rules"),
    )
    op.create_table(
        "expired_items",
        sa.Column("redrive_id", _ID, sa.ForeignKey("redrives.id", name="fk_expired_items_redrive_id_redrives")),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("n", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("redrive_id", "outcome", name="pk_expired_items"),
    )
    op.add_column("sources", sa.Column("expired_total", sa.BigInteger, nullable=False, server_default="0"))


def downgrade() -> None:
    op.drop_column("sources", "expired_total")
    op.drop_table("expired_items")
    op.drop_table("retention_rules")
