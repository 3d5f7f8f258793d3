"""Which message group an item is in, and where: so that nothing overtakes what comes before it in its group.

Revision ID: 0012
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_INDEX = "ix_redrive_items_message_group_message_order"
_UNSETTLED = sa.text("message_group IS NOT NULL AND outcome IN ('waiting', 'sending')")


def upgrade() -> None:
    op.add_column("redrive_items", sa.Column("message_group", sa.Text, nullable=True))
    op.add_column("redrive_items", sa.Column("message_order", sa.Text, nullable=True))
    op.create_index(
        _INDEX, "redrive_items", ["message_group", "message_order"],
        sqlite_where=_UNSETTLED, postgresql_where=_UNSETTLED,
    )  # fmt: skip


def downgrade() -> None:
    op.drop_index(_INDEX, "redrive_items")
    op.drop_column("redrive_items", "message_order")
    op.drop_column("redrive_items", "message_group")
