"""Which targets may be sent to: what sources were given, what tells functions apart, and what was discovered."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from sqlalchemy import Select, delete, insert, select
from sqlalchemy.orm import Session

from deadletter.allowed import AllowList, plain_arn
from deadletter.store.models import DiscoveredTarget, Sender, Source
from deadletter.store.rowset import one_of, parts, table_of


def allow_list(session: Session, arns: Iterable[str], patterns: tuple[str, ...] = ()) -> AllowList:
    """Return what of *arns* may be sent to; *patterns* are those of the settings."""
    asked = {name for arn in arns for name in (arn, plain_arn(arn))}
    found = {arn for some in parts(asked) for arn in _known(session, some)}
    return AllowList(frozenset(found), patterns)


def allows_without(session: Session, source_id: int | None, arn: str, patterns: tuple[str, ...] = ()) -> bool:
    """Return whether *arn* may be sent to, whatever one source says."""
    names = {arn, plain_arn(arn)}
    found = {name for column, query in _places(source_id) for name in session.scalars(query.where(column.in_(names)))}
    return AllowList(frozenset(found), patterns).allows(arn)


def keep_targets(session: Session, reach: str, arns: Collection[str]) -> None:
    """Keep what the newest discovery of an account and Region showed, in the place of what the one before did."""
    table = table_of(DiscoveredTarget)
    session.execute(delete(table).where(table.c.reach == reach))
    for some in parts(sorted(arns)):
        session.execute(insert(table), [{"reach": reach, "arn": arn} for arn in some])


def _known(session: Session, arns: Collection[str]) -> Iterator[str]:
    for column, query in _places():
        yield from session.scalars(query.where(one_of(session, column, arns)))


def _places(without: int | None = None) -> tuple[tuple[Any, Select[Any]], ...]:
    """Return each column that names targets, with what reads it: sources that were removed allow nothing."""
    there = Source.removed_at.is_(None) & (Source.id != (without or 0))
    return (
        (Source.target_arn, select(Source.target_arn).where(there)),
        (Sender.function_arn, select(Sender.function_arn).join(Source, Source.id == Sender.source_id).where(there)),
        (DiscoveredTarget.arn, select(DiscoveredTarget.arn)),
    )
