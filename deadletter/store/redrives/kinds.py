"""Kinds of events: alike in all that a plan decides by, so that it decides once for each, whatever their number.

A million failures of one bad deploy are a handful of kinds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, Integer, Row, Select, Text, and_, cast, column, func, insert, literal, select, values
from sqlalchemy.orm import Session

from deadletter.event import Producer, Redrivable, TargetKind, TargetRef, account_of
from deadletter.filters import EventFilter
from deadletter.outcome import EventStatus, Outcome
from deadletter.plan import Candidate
from deadletter.planned import PlannedItem
from deadletter.store.engine import is_postgres
from deadletter.store.models import Event, RedriveItem, Source
from deadletter.store.redrives.selections import conditions_of

MOST = 1_000
"""Kinds that one statement takes; events that differ more are planned one by one."""

_NOBODY_LOOKED = -1

_KEY: dict[str, Any] = {
    "own_arn": func.coalesce(Event.target_arn, ""),
    "status": func.coalesce(Event.status, ""),
    "source_id": func.coalesce(Event.source_id, 0),
    "failures": func.coalesce(Event.failures, 0),
    "producer": func.coalesce(Event.producer, ""),
    "redrive_id": func.coalesce(Event.redrive_id, 0),
    "redrivable": func.coalesce(Event.redrivable, ""),
    "reason": func.coalesce(Event.reason, ""),
    "truncated": func.coalesce(cast(Event.truncated, Integer), 0),
    "own_kind": func.coalesce(Event.target_kind, ""),
    "last_outcome": func.coalesce(Event.last_outcome, ""),
    "is_json": func.coalesce(cast(Event.payload_is_json, Integer), _NOBODY_LOOKED),
}
"""What a plan decides by, first what tells most kinds apart. Nothing is NULL here: NULLs would not join. (And SQLite
indexes for itself only what is no bare column: there, comparing has a rule of its own.)"""

_NUMBERS = {"redrive_id", "source_id", "truncated", "failures", "is_json"}
_DECISION = ("target_kind", "target_arn", "outcome", "reason")


@dataclass(frozen=True, slots=True)
class Kind:
    """Events that are alike: `candidate` stands for all of them, with the id 0 and the time of the oldest."""

    key: tuple[Any, ...]
    candidate: Candidate
    count: int


@dataclass(frozen=True, slots=True)
class Decided:
    """How many events of a kind were written into a plan, and when the oldest failed; what was decided of them."""

    kind: Kind
    item: PlannedItem
    count: int
    oldest_at: datetime


def list_kinds(session: Session, selection: EventFilter | Sequence[int], *, most: int = MOST) -> list[Kind] | None:
    """Return the kinds of the events that *selection* means; None where they are more than *most*."""
    key: list[Any] = [expression.label(name) for name, expression in _KEY.items()]
    facts = (func.count().label("n"), func.min(Event.occurred_at).label("oldest"))
    query: Select[Any] = (
        select(*key, *facts).where(*conditions_of(session, selection)).group_by(*_KEY.values()).limit(most + 1)
    )
    accounts = {row.id: account_of(row.arn) for row in session.execute(select(Source.id, Source.arn))}
    by_id = not isinstance(selection, EventFilter)
    rows = session.execute(query).all()
    return None if len(rows) > most else [_kind(row, accounts, by_id=by_id) for row in rows]


def insert_items(
    session: Session,
    redrive_id: int,
    selection: EventFilter | Sequence[int],
    decided: Sequence[tuple[Kind, PlannedItem]],
) -> list[Decided]:
    """Write a plan's items by one statement, in the order of sending; return what it wrote of each kind.

    An event that is of none of the kinds any more, because it changed since they were listed, is not in the plan.
    """
    chosen = _chosen(session, selection, decided).cte("chosen")
    names = ("redrive_id", "position", "event_id", *_DECISION, "edited")
    position = func.row_number().over(order_by=(chosen.c.occurred_at, chosen.c.event_id)) - 1
    columns = [literal(redrive_id), position, chosen.c.event_id, *(chosen.c[name] for name in _DECISION)]
    put = insert(RedriveItem).from_select(
        names, select(*columns, literal(value=False, type_=Boolean)), include_defaults=False
    )
    if not is_postgres(session):  # nobody else has written since this transaction began
        session.execute(put)
        return [Decided(kind, item, kind.count, kind.candidate.occurred_at) for kind, item in decided]
    wrote = select(chosen.c.n, func.count(), func.min(chosen.c.occurred_at)).group_by(chosen.c.n)
    rows = session.execute(wrote.add_cte(put.cte("put")))  # one statement: one snapshot
    return [Decided(decided[n][0], decided[n][1], count, oldest) for n, count, oldest in rows]


def _chosen(
    session: Session, selection: EventFilter | Sequence[int], decided: Sequence[tuple[Kind, PlannedItem]]
) -> Select[Any]:
    """Return the events with what was decided of their kinds."""
    event: list[Any] = [Event.id.label("event_id"), Event.occurred_at]
    postgres = is_postgres(session)
    # On SQLite each event is of one of the kinds still: what all that are decided alike share need not be compared.
    telling = tuple(_KEY) if postgres else telling_apart(decided)
    if not telling:
        said = zip(_DECISION, _decision(decided[0][1]), strict=True)
        plain: Select[Any] = select(*event, *(literal(what, Text).label(name) for name, what in said))
        return plain.where(*conditions_of(session, selection))
    typed = [column(f"k_{name}", Integer if name in _NUMBERS else Text) for name in telling]
    made = values(column("n", Integer), *typed, *(column(name, Text) for name in _DECISION), name="kinds_given")
    rows = {_part_of(kind, telling): (n, *_decision(item)) for n, (kind, item) in enumerate(decided)}
    kinds = made.data([(n, *key, *decision) for key, (n, *decision) in rows.items()]).cte("kinds")
    same = and_(*(kinds.c[f"k_{name}"] == _KEY[name] for name in telling))
    # For the same reason this says no more there than an inner join, but that SQLite goes from event to kind.
    joined = select(*event, kinds.c.n, *(kinds.c[name] for name in _DECISION)).join(kinds, same, isouter=not postgres)
    return joined.where(*conditions_of(session, selection))


def telling_apart(decided: Sequence[tuple[Kind, PlannedItem]]) -> tuple[str, ...]:
    """Return the parts of the key that what was decided follows from: few, and none where all are decided alike."""
    telling = tuple(_KEY)
    for name in reversed(_KEY):
        fewer = tuple(each for each in telling if each != name)
        said = {(_part_of(kind, fewer), _decision(item)) for kind, item in decided}
        if len({key for key, _ in said}) == len(said):
            telling = fewer
    return telling


_AT = {name: at for at, name in enumerate(_KEY)}


def _part_of(kind: Kind, names: Sequence[str]) -> tuple[Any, ...]:
    return tuple(kind.key[_AT[name]] for name in names)


def _decision(item: PlannedItem) -> tuple[str | None, ...]:
    outcome = Outcome.SKIPPED if item.skip else Outcome.WAITING
    kind, arn = (item.target.kind.value, item.target.arn) if item.target else (None, None)
    return kind, arn, outcome.value, item.skip


def _kind(row: Row[Any], accounts: dict[int, str], *, by_id: bool) -> Kind:
    candidate = Candidate(
        event_id=0,
        status=EventStatus(row.status),
        occurred_at=row.oldest,
        producer=Producer(row.producer),
        redrive_id=row.redrive_id or None,
        redrivable=Redrivable(row.redrivable),
        reason=row.reason or None,
        target=TargetRef(TargetKind(row.own_kind), row.own_arn) if row.own_arn else None,
        by_id=by_id,
        payload_is_json=None if row.is_json == _NOBODY_LOOKED else bool(row.is_json),
        account=accounts[row.source_id],
        truncated=bool(row.truncated),
        failures=row.failures,
        last_outcome=Outcome(row.last_outcome) if row.last_outcome else None,
    )
    return Kind(tuple(getattr(row, name) for name in _KEY), candidate, row.n)
