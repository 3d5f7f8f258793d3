"""Counting again: whatever is kept as a count must equal what plain SQL counts in the rows.

The database compares, and hands over what differs only: however many rows there are, memory stays small.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from deadletter.outcome import EventStatus, Outcome
from deadletter.store.engine import is_postgres

MOST = 10_000
"""Differences that `recount` returns at most: whoever has more has a cause to look for, not a list to read."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A count that is not what the rows say. `key` tells whose it is, such as (group id, status)."""

    what: str
    key: tuple[Any, ...]
    kept: int
    counted: int

    def __str__(self) -> str:
        return f"{self.what} {self.key}: kept {self.kept:,}, counted {self.counted:,}"


def recount(session: Session) -> list[Difference]:
    """Count everything again, by scanning every table; return what differs (the first `MOST`), which should be nothing.

    Run it in a snapshot (`read`), so that what is written meanwhile is in both counts or in neither.
    """
    return list(islice(_differences(session), MOST))


def _differences(session: Session) -> Iterator[Difference]:
    searched = {"search": (_IN_SEARCH[is_postgres(session)], "SELECT id, 1 FROM events")}
    for what, (kept, counted) in {**_COUNTS, **searched}.items():
        for *key, has, should in _rows(session, _compare(kept, counted, keys=_KEYS.get(what, 1))):
            yield Difference(what, tuple(key), int(has), int(should))
    for what, query in _RULES.items():
        for row in _rows(session, query):
            yield Difference(what, tuple(row), 1, 0)


def _rows(session: Session, query: str) -> Iterator[Any]:
    return iter(session.execute(text(query).execution_options(yield_per=1_000)))


def _compare(kept: str, counted: str, *, keys: int) -> str:
    """Return the query for (key…, kept, counted) wherever the counts of two queries, (key…, count) each, differ."""
    key = ", ".join("abc"[:keys])
    return f"""
        WITH kept ({key}, n) AS ({kept}), counted ({key}, n) AS ({counted}), both_of ({key}, n, m) AS (
            SELECT {key}, n, 0 FROM kept UNION ALL SELECT {key}, 0, n FROM counted
        )
        SELECT {key}, sum(n), sum(m) FROM both_of GROUP BY {key} HAVING sum(n) <> sum(m) ORDER BY {key}
    """  # noqa: S608 - our own queries, below


def _columns(table: str, names: Mapping[str, str]) -> str:
    """Return a query that turns counter columns into rows: (id, name, count)."""
    parts = (f"SELECT id, '{name}', {column} FROM {table}" for name, column in names.items())  # noqa: S608 - our own
    return " UNION ALL ".join(parts)


_COUNTS = {
    "events of a group by status": (
        _columns("groups", {status: f"n_{status}" for status in EventStatus}),
        "SELECT group_id, status, count(*) FROM events GROUP BY group_id, status",
    ),
    "events of a group by source and producer": (
        "SELECT group_id, source_id, producer, n FROM group_sources",
        "SELECT group_id, source_id, producer, count(*) FROM events GROUP BY group_id, source_id, producer",
    ),
    "failures by source and hour": (
        "SELECT source_id, hour, n FROM source_hours",
        """
        SELECT source_id, occurred_at / 3600000000 AS hour, count(*) FROM records WHERE is_failure
        GROUP BY source_id, hour
        """,
    ),
    "failures of a group by hour": (
        "SELECT group_id, hour, n FROM group_hours",
        """
        SELECT group_id, hour, count(*) FROM (
            SELECT group_id, occurred_at / 3600000000 AS hour FROM records WHERE is_failure
            UNION ALL
            SELECT group_id, settled_at / 3600000000 FROM redrive_items
            WHERE outcome = 'failed_again' AND record_id IS NULL
        ) AS failures GROUP BY group_id, hour
        """,
    ),
    "items of a redrive by outcome": (
        _columns("redrives", {outcome: f"n_{outcome}" for outcome in Outcome}),
        """
        SELECT redrive_id, outcome, sum(n) FROM (
            SELECT redrive_id, outcome, 1 AS n FROM redrive_items
            UNION ALL
            SELECT redrive_id, outcome, n FROM expired_items
        ) AS items GROUP BY redrive_id, outcome
        """,
    ),
    "records by source": (
        "SELECT id, collected_total - expired_total FROM sources",
        "SELECT source_id, count(*) FROM records GROUP BY source_id",
    ),
    "failures of an event": (
        "SELECT id, failures FROM events",
        """
        SELECT event_id, count(*) FROM (
            SELECT event_id FROM records WHERE is_failure
            UNION ALL
            SELECT event_id FROM redrive_items WHERE outcome = 'failed_again' AND record_id IS NULL
        ) AS failures GROUP BY event_id
        """,
    ),
}
"""What is kept, and what is counted: queries whose last column is the count."""

_KEYS = {
    "events of a group by status": 2,
    "events of a group by source and producer": 3,
    "failures by source and hour": 2,
    "failures of a group by hour": 2,
    "items of a redrive by outcome": 2,
}
"""How many columns tell whose count it is, where it is not one."""

_RULES = {
    "group shows another status than its counts": """
        SELECT id, status FROM groups WHERE status <> CASE
            WHEN n_unresolved > 0 THEN 'unresolved' WHEN n_redriving > 0 THEN 'redriving'
            WHEN n_resolved > 0 THEN 'resolved' WHEN n_archived > 0 THEN 'archived' ELSE 'empty' END
        """,
    "group regressed although nothing of it is open": """
        SELECT id FROM groups WHERE regressed_at IS NOT NULL AND n_unresolved = 0 AND n_redriving = 0
        """,
    "event outside of the time of its group": """
        SELECT events.id FROM events JOIN groups ON groups.id = events.group_id
        WHERE events.last_failed_at > groups.last_seen OR events.last_failed_at < groups.first_seen
        """,
    "target that got less, ever, than its items say": """
        SELECT target_arn FROM (
            SELECT target_arn, count(*) AS n, count(CASE WHEN outcome = 'failed_again' THEN 1 END) AS again
            FROM redrive_items WHERE outcome IN ('sent', 'succeeded', 'failed_again') GROUP BY target_arn
        ) AS items LEFT JOIN target_totals USING (target_arn)
        WHERE coalesce(redriven, 0) < n OR coalesce(failed_again, 0) < again
        """,
    "event without its main record": """
        SELECT events.id FROM events LEFT JOIN records ON records.id = events.record_id AND records.event_id = events.id
        WHERE records.id IS NULL
        """,
    "event redriving without a claim, or claimed without redriving": """
        SELECT id, status, redrive_id FROM events WHERE (status = 'redriving') <> (redrive_id IS NOT NULL)
        """,
}
"""Queries for rows that break a rule."""

_IN_SEARCH = {False: "SELECT rowid, 1 FROM search", True: "SELECT event_id, 1 FROM search"}
