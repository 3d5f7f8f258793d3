"""Redrives that can be held: canary, ramp and breaker, pause, schedule and window; and the pace of each target.

Revision ID: 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# Microseconds since 1970, UTC.
INSTANT = sa.BigInteger

# With defaults in the database, so that code which does not know the columns still writes rows.
_GIVEN = (
    ("stage", sa.Text, "full"),
    ("canary", sa.Integer, "0"),
    ("step", sa.Integer, "0"),
    ("kept_back", sa.Integer, "0"),
    ("max_failures", sa.Double, "1"),
    ("recent", sa.Text, sa.text("''")),
    ("share", sa.Double, "1"),
)
_MAYBE = (
    ("concurrency", sa.Integer),
    ("starts_at", INSTANT),
    ("window", sa.Text),
    ("held_at", INSTANT),
    ("held_by", sa.Text),
    ("held_reason", sa.Text),
    ("throttled_since", INSTANT),
)


def upgrade() -> None:
    for name, kind, default in _GIVEN:
        op.add_column("redrives", sa.Column(name, kind(), nullable=False, server_default=default))
    for name, kind in _MAYBE:
        op.add_column("redrives", sa.Column(name, kind(), nullable=True))
    op.create_table(
        "target_paces",
        sa.Column("arn", sa.Text(), nullable=False),
        *(sa.Column(name, INSTANT(), nullable=True) for name in ("next_send_at", "slowed_at", "busy_until")),
        sa.Column("busy_times", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("busy_reason", sa.Text(), nullable=True),
        sa.Column("pace", sa.Double(), nullable=True),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("reserved_concurrency", sa.Integer(), nullable=True),
        sa.Column("timeout_s", sa.Double(), nullable=True),
        sa.Column("settle_s", sa.Double(), nullable=True),
        sa.Column("facts_at", INSTANT(), nullable=True),
        sa.PrimaryKeyConstraint("arn", name="pk_target_paces"),
    )
    sending = sa.text("outcome = 'sending'")
    op.create_index(
        "ix_redrive_items_target_arn",
        "redrive_items",
        ["target_arn"],
        sqlite_where=sending,
        postgresql_where=sending,
    )


def downgrade() -> None:
    op.drop_index("ix_redrive_items_target_arn", "redrive_items")
    op.drop_table("target_paces")
    for name, *_ in (*_MAYBE, *_GIVEN):
        op.drop_column("redrives", name)
