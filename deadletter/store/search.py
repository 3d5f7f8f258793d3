"""The index of words: FTS5 on SQLite, a tsvector with GIN on PostgreSQL, behind the same functions.

Both get words that `words.words_of` made, and none of the databases' own rules about what a word is: they differ on
ids, hyphens, numbers and addresses, and people search for ids above all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import add as add_text

from sqlalchemy import (
    ColumnElement,
    Select,
    TextClause,
    and_,
    cast,
    column,
    exists,
    false,
    func,
    literal_column,
    select,
    table,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.orm import Session

from deadletter.store.copying import copy_all
from deadletter.store.engine import is_postgres
from deadletter.store.models import Event
from deadletter.store.words import phrases_of, words_of

SEARCH = table("search", column("event_id"), column("words"))

_ADD = "INSERT INTO search (rowid, words) VALUES (?, ?)"

# By whether it is PostgreSQL.
_EXTEND = {
    False: text("UPDATE search SET words = words || ' ' || :words WHERE rowid = :id"),
    True: text("UPDATE search SET words = words || CAST(:words AS tsvector) WHERE event_id = :id"),
}
_DROP = {
    False: text("DELETE FROM search WHERE rowid = :id"),
    True: text("DELETE FROM search WHERE event_id = :id"),
}


def add(session: Session, found_by: Mapping[int, Sequence[str]]) -> None:
    """Index new events by the words, as `words_of` makes them, that each is to be found by."""
    if not found_by:
        return
    if is_postgres(session):
        copy_all(session, "search", ("event_id", "words"), [(id_, tsvector(words)) for id_, words in found_by.items()])
    else:
        rows = [(event_id, " ".join(words)) for event_id, words in found_by.items()]
        session.connection().exec_driver_sql(_ADD, rows)


def extend(session: Session, texts: Mapping[int, str]) -> None:
    """Let known events be found by further *texts* as well: a new error, or what a richer record says."""
    _execute(session, _EXTEND, texts)


def drop(session: Session, event_ids: Sequence[int]) -> None:
    """Forget events that are no more."""
    if event_ids:
        session.execute(_DROP[is_postgres(session)], [{"id": event_id} for event_id in event_ids])


def id_column(session: Session) -> ColumnElement[int]:
    """Return the index's column of event ids. Results ordered by it, newest first, come without sorting."""
    return SEARCH.c.event_id if is_postgres(session) else literal_column("search.rowid")


def matches(session: Session, query: str) -> ColumnElement[bool]:
    """Return the condition that an event holds every word of *query*; one without any word matches nothing."""
    phrases = phrases_of(query)
    if not phrases:
        return false()
    if is_postgres(session):
        return SEARCH.c.words.bool_op("@@")(cast(_tsquery(phrases), TSQUERY))
    return literal_column("search").bool_op("MATCH")(_fts5(phrases))


def holds(session: Session, query: str) -> ColumnElement[bool]:
    """Return the condition that an event of the enclosing query holds every word, looked up for each by itself.

    FTS5 would gather every hit of an unfinished word for each look-up, so there the words themselves are read.
    """
    found = matches(session, query) if is_postgres(session) else _reads(phrases_of(query))
    return exists(select(1).select_from(SEARCH).where(id_column(session) == Event.id, found))


def _reads(phrases: Sequence[Sequence[str]]) -> ColumnElement[bool]:
    words: ColumnElement[str] = literal_column("' ' || search.words || ' '")
    wanted = [f" {' '.join(phrase)} " for phrase in phrases]
    wanted[-1:] = [last[:-1] for last in wanted[-1:]]  # which may be unfinished
    return and_(true() if wanted else false(), *(func.instr(words, each) > 0 for each in wanted))


def event_ids(session: Session, query: str) -> Select[int]:
    """Return the query for the ids of all events that match."""
    return select(id_column(session)).select_from(SEARCH).where(matches(session, query))


def _execute(session: Session, statements: Mapping[bool, TextClause], texts: Mapping[int, str]) -> None:
    if not texts:
        return
    postgres = is_postgres(session)
    join = tsvector if postgres else " ".join
    rows = [{"id": event_id, "words": join(words_of(content))} for event_id, content in texts.items()]
    session.execute(statements[postgres], rows)


def tsvector(words: Sequence[str]) -> str:
    """Return *words* as the text of a tsvector, each at its place."""
    if len(words) > len(_PLACES):
        return " ".join(f"{word}:{position}" for position, word in enumerate(words, 1))
    return " ".join(map(add_text, words, _PLACES))


_PLACES = tuple(f":{position}" for position in range(1, 2_001))
"""What stands behind the words of nearly every event, made once."""


def _tsquery(phrases: Sequence[Sequence[str]]) -> str:
    return " & ".join(f"({' <-> '.join(phrase)})" for phrase in phrases)[:-1] + ":*)"


def _fts5(phrases: Sequence[Sequence[str]]) -> str:
    return " AND ".join(f'"{" ".join(phrase)}"' for phrase in phrases) + " *"
