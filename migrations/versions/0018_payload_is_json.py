"""Whether an event's payload is JSON, known from its collecting, so that a plan need not read the payload for it.

Revision ID: 0018
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("events", sa.Column("payload_is_json", sa.Boolean, nullable=True))


def downgrade() -> None:
    op.drop_column("events", "payload_is_json")
