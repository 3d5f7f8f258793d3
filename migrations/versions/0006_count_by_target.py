"""Count what was ever redriven to each target, for monitoring.

Code that does not know the table yet leaves its counters behind; nothing else reads them.

Revision ID: 0006
Revises: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

REDRIVEN = """
INSERT INTO target_totals (target_arn, redriven, succeeded, failed_again, unknown)
SELECT target_arn,
       sum(CASE WHEN outcome IN ('sent', 'succeeded', 'failed_again') THEN 1 ELSE 0 END),
       sum(CASE WHEN outcome = 'succeeded' THEN 1 ELSE 0 END),
       sum(CASE WHEN outcome = 'failed_again' THEN 1 ELSE 0 END),
       sum(CASE WHEN outcome = 'unknown' THEN 1 ELSE 0 END)
FROM redrive_items WHERE target_arn IS NOT NULL AND outcome IN ('sent', 'succeeded', 'failed_again', 'unknown')
GROUP BY target_arn
"""


def upgrade() -> None:
    op.create_table(
        "target_totals",
        sa.Column("target_arn", sa.Text, nullable=False),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in _COUNTERS),
        sa.PrimaryKeyConstraint("target_arn", name="pk_target_totals"),
    )
    op.execute(REDRIVEN)


def downgrade() -> None:
    op.drop_table("target_totals")


_COUNTERS = ("redriven", "succeeded", "failed_again", "unknown")
