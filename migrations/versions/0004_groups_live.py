"""Groups live: who is on one, notes, snoozed until when, and since when it fails anew.

Revision ID: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_INDEXES = (["assignee", "last_seen", "id"], ["regressed_at"], ["snoozed_until"])


def upgrade() -> None:
    # Plain ADD COLUMN, without a default: neither database rewrites the table, and old code goes on writing it.
    for column in (
        sa.Column("assignee", sa.Text),
        sa.Column("regressed_at", sa.BigInteger),
        sa.Column("snoozed_until", sa.BigInteger),
        sa.Column("snooze_left", sa.Integer),
    ):
        op.add_column("groups", column)
    for columns in _INDEXES:
        op.create_index(f"ix_groups_{'_'.join(columns)}", "groups", columns)
    op.create_table(
        "group_notes",
        sa.Column("id", _ID, nullable=False),
        sa.Column("group_id", _ID, sa.ForeignKey("groups.id", name="fk_group_notes_group_id_groups"), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_group_notes"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_group_notes_group_id", "group_notes", ["group_id"])


def downgrade() -> None:
    op.drop_table("group_notes")
    for columns in _INDEXES:
        op.drop_index(f"ix_groups_{'_'.join(columns)}", "groups")
    for name in ("assignee", "regressed_at", "snoozed_until", "snooze_left"):
        op.drop_column("groups", name)
