"""Items that their target has taken, written past SQLAlchemy's work for each row: nearly all that a queue answers."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.orm import Session

from deadletter.outcome import Outcome
from deadletter.store.engine import is_postgres

_POSTGRES = text("""
UPDATE redrive_items SET outcome = :outcome, sent_id = given.sent_id, reason = NULL, settled_at = NULL, evidence = NULL,
    error_type = NULL, error_message = NULL, stack_trace = NULL, group_id = NULL
FROM unnest(CAST(:positions AS integer[]), CAST(:sent_ids AS text[])) AS given(position, sent_id)
WHERE redrive_items.redrive_id = :redrive AND redrive_items.position = given.position
""")
# Row by row: joined with `json_each`, SQLite reads all items of the redrive for each call.
_SQLITE = """
UPDATE redrive_items SET outcome = ?, sent_id = ?, reason = NULL, settled_at = NULL, evidence = NULL,
    error_type = NULL, error_message = NULL, stack_trace = NULL, group_id = NULL
WHERE redrive_id = ? AND position = ?
"""


def write_sent(session: Session, redrive_id: int, sent: Sequence[tuple[int, str | None]]) -> None:
    """Write `sent` and nothing else for items of one redrive, by position, with the id that each got.

    The transaction holds the items already, in everybody's order.
    """
    if not sent:
        return
    connection, outcome = session.connection(), Outcome.SENT.value
    if is_postgres(session):
        positions, sent_ids = map(list, zip(*sent, strict=True))
        given = {"redrive": redrive_id, "outcome": outcome, "positions": positions, "sent_ids": sent_ids}
        connection.execute(_POSTGRES, given)
    else:
        rows = [(outcome, sent_id, redrive_id, position) for position, sent_id in sent]
        connection.exec_driver_sql(_SQLITE, rows)
