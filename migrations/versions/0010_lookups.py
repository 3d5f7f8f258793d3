"""What is looked up for events whose records leave something out: a stream's batch, the way that an event was going.

Revision ID: 0010
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.BigInteger


def upgrade() -> None:
    event = sa.ForeignKey("events.id", name="fk_lookups_event_id_events")
    op.create_table(
        "lookups",
        sa.Column("event_id", ID, event, nullable=False, autoincrement=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("next_try_at", INSTANT),
        sa.Column("said", sa.Text),
        sa.Column("deadline_at", INSTANT),
        sa.Column("found_at", INSTANT),
        sa.Column("fetched", sa.Integer),
        sa.Column("lost", sa.Integer),
        sa.Column("lost_first", sa.Text),
        sa.Column("lost_last", sa.Text),
        sa.Column("payload", sa.LargeBinary),
        sa.Column("route", sa.JSON),
        sa.PrimaryKeyConstraint("event_id", name="pk_lookups"),
    )
    op.create_index("ix_lookups_status_next_try_at", "lookups", ["status", "next_try_at"])


def downgrade() -> None:
    op.drop_table("lookups")
