"""The ways to a page of search hits, newest first, such that none reads very much, whatever the words.

Common words are among the newest events; rare ones are few in all; and where the filter leaves few events, each of them
is looked up. No planner knows how common the beginning of a word is, so the way is chosen here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from sqlalchemy import Select, func, select, text
from sqlalchemy.orm import Session

from deadletter.store import search
from deadletter.store.engine import is_postgres
from deadletter.store.models import Event

FEW = 2_000
"""Events of a filter that are looked up one by one: a look-up takes as long as ten hits that are passed over."""

NEWEST = 5_000
"""Events among which words are looked for before the index of words is asked for all that it has."""


GLANCE = 200
"""Events that SQLite looks through one by one first: FTS5 gathers all hits of an unfinished word before the newest."""


class Way(NamedTuple):
    """A query for hits, and whether PostgreSQL is to ask its index of words, however dear that seems to it."""

    query: Select[Any]
    by_index: bool = False


@contextmanager
def taken(session: Session, way: Way) -> Iterator[Select[Any]]:
    """Yield the query of *way*, to be run within the block."""
    if way.by_index:
        session.execute(text("SET LOCAL enable_seqscan = off"))
    yield way.query
    if way.by_index:
        session.execute(text("SET LOCAL enable_seqscan = on"))


def ways(session: Session, query: Select[Any], words: str, *, few: bool, before: int | None) -> Iterator[Way]:
    """Yield ways to *query*, which is of events, for those that hold *words*, newest first.

    Each way finds no less than the one before it: who has a full page may stop. The last finds everything.

    Args:
        session: A session that reads.
        query: Selects from events, and narrows them.
        words: What a person typed.
        few: Whether the query leaves `FEW` events at most.
        before: Only events with a lower id; None for all.
    """
    if before is not None:
        query = query.where(Event.id < before)
    if few:
        # `+ 0`: sorted, since walking all ids backwards in this order looks cheap too.
        yield Way(query.where(search.holds(session, words)).order_by((Event.id + 0).desc()))
    elif is_postgres(session):
        yield from _by_vectors(session, query, words, before)
    else:
        yield from _by_fts5(session, query, words, before)


def _by_fts5(session: Session, query: Select[Any], words: str, before: int | None) -> Iterator[Way]:
    last = before if before is not None else (session.scalar(select(func.max(Event.id))) or 0) + 1
    newest = query.where(Event.id < last, Event.id >= last - GLANCE, search.holds(session, words))
    yield Way(newest.order_by(Event.id.desc()))
    # FTS5 hands its hits over newest first, one after the other.
    index = search.id_column(session)
    joined = query.join(search.SEARCH, index == Event.id).where(search.matches(session, words))
    yield Way((joined if before is None else joined.where(index < before)).order_by(index.desc()))


def _by_vectors(session: Session, query: Select[Any], words: str, before: int | None) -> Iterator[Way]:
    index, found = search.SEARCH.c.event_id, search.matches(session, words)
    last = before if before is not None else (session.scalar(select(func.max(index))) or 0) + 1
    newest = query.join(search.SEARCH, index == Event.id).where(found, index < last, index >= last - NEWEST)
    yield Way(newest.order_by(index.desc()))
    # Materialized, and without a bound: a plan that walks the ids in hope of hits looks cheap, and is not.
    hits = select(index).where(found).cte("hits").prefix_with("MATERIALIZED", dialect="postgresql")
    rest = query.join(hits, hits.c.event_id == Event.id).where(hits.c.event_id < last)
    yield Way(rest.order_by(hits.c.event_id.desc()), by_index=True)
