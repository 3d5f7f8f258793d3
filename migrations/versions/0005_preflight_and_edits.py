"""Idempotency settings of targets, what the pre-flight found for each event, and payloads that were edited.

Revision ID: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_REFUSAL = "edits are append-only"


def upgrade() -> None:
    texts = ("table_name", "prefix", "key_path", "data_path", "validation_path", "hash_function", "changed_by")
    op.create_table(
        "target_rules",
        sa.Column("arn", sa.Text, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in texts),
        sa.Column("expires_s", sa.Integer, nullable=False),
        sa.Column("names", sa.JSON, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("arn", name="pk_target_rules"),
    )
    op.add_column("redrives", sa.Column("preflight", sa.JSON))
    op.add_column("redrives", sa.Column("edit", sa.JSON))
    op.add_column("redrive_items", sa.Column("protection", sa.Text))
    op.add_column("redrive_items", sa.Column("protection_reason", sa.Text))
    op.add_column("redrive_items", sa.Column("edited", sa.Boolean))
    _create_edits()


def downgrade() -> None:
    op.drop_table("edits")
    if op.get_bind().dialect.name != "sqlite":
        op.execute("DROP FUNCTION refuse_edit_change()")
    for name in ("edited", "protection_reason", "protection"):
        op.drop_column("redrive_items", name)
    op.drop_column("redrives", "edit")
    op.drop_column("redrives", "preflight")
    op.drop_table("target_rules")


def _create_edits() -> None:
    op.create_table(
        "edits",
        sa.Column("redrive_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("event_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("how", sa.Text, nullable=False),
        sa.Column("made_by", sa.Text, nullable=False),
        sa.Column("made_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("redrive_id", "event_id", name="pk_edits"),
        sa.ForeignKeyConstraint(["redrive_id"], ["redrives.id"], name="fk_edits_redrive_id_redrives"),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name="fk_edits_event_id_events"),
    )
    op.create_index("ix_edits_event_id", "edits", ["event_id"])
    _refuse_changes()


def _refuse_changes() -> None:
    """Refuse UPDATE and DELETE by trigger: what was sent in an original's place can be read as long as the database."""
    if op.get_bind().dialect.name == "sqlite":
        for act in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER edits_refuse_{act.lower()} BEFORE {act} ON edits "
                f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION refuse_edit_change() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{_REFUSAL}'; END $$"
    )
    op.execute(
        "CREATE TRIGGER edits_refuse_change BEFORE UPDATE OR DELETE ON edits "
        "FOR EACH ROW EXECUTE FUNCTION refuse_edit_change()"
    )
