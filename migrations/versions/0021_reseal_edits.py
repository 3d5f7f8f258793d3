"""Let an edited payload be sealed under another key: it changes in nothing else, and open text never to other text.

Revision ID: 0021
"""

from __future__ import annotations

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_REFUSAL = "edits are append-only"
_SAME = " AND ".join(f"OLD.{name} = NEW.{name}" for name in ("redrive_id", "event_id", "how", "made_by", "made_at"))
# What every sealed body begins with.
_SEALED = {
    "sqlite": "substr({row}.payload, 1, 4) = x'ff525331'",
    "postgresql": r"substring({row}.payload from 1 for 4) = '\xff525331'::bytea",
}


def upgrade() -> None:
    dialect = op.get_bind().dialect.name
    sealed = " OR ".join(_SEALED[dialect].format(row=row) for row in ("OLD", "NEW"))
    allowed = f"{_SAME} AND ({sealed})"
    if dialect == "sqlite":
        _replace(f"WHEN NOT ({allowed})")
    else:
        op.execute(_function(f"IF TG_OP = 'UPDATE' AND {allowed} THEN RETURN NEW; END IF;"))


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        _replace("")
    else:
        op.execute(_function(""))


def _replace(when: str) -> None:
    op.execute("DROP TRIGGER edits_refuse_update")
    op.execute(
        f"CREATE TRIGGER edits_refuse_update BEFORE UPDATE ON edits {when} BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
    )


def _function(unless: str) -> str:
    return (
        "CREATE OR REPLACE FUNCTION refuse_edit_change() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN {unless} RAISE EXCEPTION '{_REFUSAL}'; END $$"
    )
