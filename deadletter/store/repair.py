"""Setting right what `check.recount` found: a count becomes what the rows say. Rows themselves are never touched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from deadletter.outcome import EventStatus, Outcome
from deadletter.store import search
from deadletter.store.check import Difference
from deadletter.store.engine import is_postgres
from deadletter.store.models import Record
from deadletter.store.words import words_of

LOCK_S = 10
"""How long a repair waits for those who write on PostgreSQL, in seconds."""

_WRITTEN = "events, records, redrive_items, groups, group_sources, group_hours, source_hours, redrives, sources, search"


def hold_writers(session: Session) -> None:
    """Let nobody else write until the transaction ends, so that what is counted stays true; pages are read as ever.

    Raises:
        OperationalError: PostgreSQL's writers did not let go of the tables within `LOCK_S`.
    """
    if is_postgres(session):  # SQLite's writing transaction holds the one write lock from its beginning
        session.execute(text(f"SET LOCAL lock_timeout = '{LOCK_S}s'"))
        session.execute(text(f"LOCK TABLE {_WRITTEN} IN SHARE ROW EXCLUSIVE MODE"))


def repair(session: Session, differences: Sequence[Difference]) -> list[Difference]:
    """Set right what can be; return what cannot: it takes a person, or (`search` without words) the record's text."""
    left = []
    for each in differences:
        if each.what == "search" and each.kept:
            search.drop(session, [each.key[0]])
        elif statement := _REPAIRS.get(each.what):
            keys = dict(zip("abc", each.key, strict=False))
            session.execute(text(statement), {name: keys[name] for name in keys if f":{name}" in statement} | _n(each))
        else:
            left.append(each)
    return left


def index(session: Session, event_id: int, content: str) -> None:
    """Let an event be found by the words of *content*, where nothing finds it."""
    search.add(session, {event_id: words_of(content)})


def records_of(session: Session, event_id: int) -> Sequence[Record]:
    """Return the records of an event, oldest first."""
    return session.query(Record).filter(Record.event_id == event_id).order_by(Record.id).all()


def _n(each: Difference) -> dict[str, Any]:
    return {"n": each.counted} if ":n" in _REPAIRS[each.what] else {}


def _one_column(table: str, names: Sequence[str]) -> str:
    """Return the statement that sets the counter column that `:b` names; the others stay."""
    columns = (f"n_{name} = CASE WHEN CAST(:b AS text) = '{name}' THEN :n ELSE n_{name} END" for name in names)
    return f"UPDATE {table} SET {', '.join(columns)} WHERE id = :a"  # noqa: S608 - our own


def _rollup(table: str, *keys: str) -> str:
    places = ", ".join(f":{name}" for name in "abc"[: len(keys)])
    return (
        f"INSERT INTO {table} ({', '.join(keys)}, n) VALUES ({places}, :n) "  # noqa: S608 - our own
        f"ON CONFLICT ({', '.join(keys)}) DO UPDATE SET n = excluded.n"
    )


_GROUP_TIMES = """
    UPDATE groups SET
        first_seen = CASE WHEN e.at < first_seen THEN e.at ELSE first_seen END,
        last_seen = CASE WHEN e.at > last_seen THEN e.at ELSE last_seen END
    FROM (SELECT group_id, last_failed_at AS at FROM events WHERE id = :a) AS e WHERE groups.id = e.group_id
"""
_TARGET = """
    INSERT INTO target_totals (target_arn, redriven, succeeded, failed_again, unknown)
    SELECT target_arn, count(*), count(CASE WHEN outcome = 'succeeded' THEN 1 END),
        count(CASE WHEN outcome = 'failed_again' THEN 1 END), 0
    FROM redrive_items WHERE target_arn = :a AND outcome IN ('sent', 'succeeded', 'failed_again') GROUP BY target_arn
    ON CONFLICT (target_arn) DO UPDATE SET
        redriven = CASE WHEN excluded.redriven > target_totals.redriven
            THEN excluded.redriven ELSE target_totals.redriven END,
        failed_again = CASE WHEN excluded.failed_again > target_totals.failed_again
            THEN excluded.failed_again ELSE target_totals.failed_again END
"""

_REPAIRS = {
    "events of a group by status": _one_column("groups", list(EventStatus)),
    "events of a group by source and producer": _rollup("group_sources", "group_id", "source_id", "producer"),
    "failures by source and hour": _rollup("source_hours", "source_id", "hour"),
    "failures of a group by hour": _rollup("group_hours", "group_id", "hour"),
    "items of a redrive by outcome": _one_column("redrives", list(Outcome)),
    "records by source": "UPDATE sources SET collected_total = :n + expired_total WHERE id = :a",
    "failures of an event": "UPDATE events SET failures = :n WHERE id = :a",
    "group shows another status than its counts": """
        UPDATE groups SET status = CASE
            WHEN n_unresolved > 0 THEN 'unresolved' WHEN n_redriving > 0 THEN 'redriving'
            WHEN n_resolved > 0 THEN 'resolved' WHEN n_archived > 0 THEN 'archived' ELSE 'empty' END WHERE id = :a
    """,
    "group regressed although nothing of it is open": "UPDATE groups SET regressed_at = NULL WHERE id = :a",
    "event outside of the time of its group": _GROUP_TIMES,
    "target that got less, ever, than its items say": _TARGET,
}
"""How each is set right; `:a`, `:b` and `:c` are its key, `:n` what was counted."""
