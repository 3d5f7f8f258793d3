"""Answers that the API gave to writes with an `Idempotency-Key`, to give again.

Revision ID: 0015
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "api_answers",
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("began_at", sa.BigInteger, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("body", sa.Text),
        sa.PrimaryKeyConstraint("owner", "key", name="pk_api_answers"),
    )
    op.create_index("ix_api_answers_began_at", "api_answers", ["began_at"])


def downgrade() -> None:
    op.drop_table("api_answers")
