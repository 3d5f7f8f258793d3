"""Discoveries with what they read, and which role's messages are from which function.

Revision ID: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.BigInteger


def upgrade() -> None:
    op.create_table(
        "discoveries",
        sa.Column("id", ID, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("asked_by", sa.Text, nullable=False),
        sa.Column("asked_at", INSTANT, nullable=False),
        sa.Column("worker", sa.Text),
        sa.Column("seen_at", INSTANT),
        sa.Column("finished_at", INSTANT),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("calls", sa.Integer, nullable=False),
        sa.Column("doing", sa.Text, nullable=False),
        sa.Column("scans", sa.JSON, nullable=False),
        sa.Column("error", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_discoveries"),
    )
    source = sa.ForeignKey("sources.id", name="fk_senders_source_id_sources")
    op.create_table(
        "senders",
        sa.Column("source_id", ID, source, nullable=False),
        sa.Column("role_id", sa.Text, nullable=False),
        sa.Column("function_arn", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("source_id", "role_id", name="pk_senders"),
    )


def downgrade() -> None:
    op.drop_table("senders")
    op.drop_table("discoveries")
