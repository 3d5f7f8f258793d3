"""A second person's approval: why a redrive needs one, who asked for it, and who gave or refused it.

Revision ID: 0013
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("redrives", sa.Column("needs_approval", sa.Text))
    op.create_table(
        "approvals",
        sa.Column("id", _ID, nullable=False),
        sa.Column(
            "redrive_id", _ID, sa.ForeignKey("redrives.id", name="fk_approvals_redrive_id_redrives"), nullable=False
        ),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("asked_by", sa.Text, nullable=False),
        sa.Column("asked_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("approved", sa.Boolean),
        sa.Column("decided_by", sa.Text),
        sa.Column("decided_at", sa.BigInteger),
        sa.Column("reason", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_approvals"),
    )
    op.create_index("ix_approvals_redrive_id_id", "approvals", ["redrive_id", "id"])


def downgrade() -> None:
    op.drop_table("approvals")
    with op.batch_alter_table("redrives") as batch:
        batch.drop_column("needs_approval")
