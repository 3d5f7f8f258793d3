"""Sources of every kind and mode, objects left where they lie, and when what only AWS holds will be lost.

Revision ID: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# Microseconds since 1970, UTC.
INSTANT = sa.BigInteger
KEPT = sa.text("expires_at IS NOT NULL")


def upgrade() -> None:
    for column in (
        sa.Column("mode", sa.Text, nullable=False, server_default="collect"),
        sa.Column("paused_at", INSTANT),
        sa.Column("removed_at", INSTANT),
        sa.Column("redrives_to", sa.Text),
        sa.Column("cursor", sa.Text),
    ):
        op.add_column("sources", column)
    op.add_column("events", sa.Column("left_record_id", sa.BigInteger))
    op.add_column("events", sa.Column("expires_at", INSTANT))
    # Of the few events that AWS still holds: what is ours already costs nothing.
    op.create_index("ix_events_expires_at_id", "events", ["expires_at", "id"], sqlite_where=KEPT, postgresql_where=KEPT)
    op.create_table(
        "skipped_objects",
        sa.Column("source_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("message_id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("skipped_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["source_id"], ["sources.id"], name="fk_skipped_objects_source_id_sources"),
        sa.PrimaryKeyConstraint("source_id", "message_id", name="pk_skipped_objects"),
    )


def downgrade() -> None:
    op.drop_table("skipped_objects")
    op.drop_index("ix_events_expires_at_id", "events")
    for name in ("expires_at", "left_record_id"):
        op.drop_column("events", name)
    for name in ("cursor", "redrives_to", "removed_at", "paused_at", "mode"):
        op.drop_column("sources", name)
