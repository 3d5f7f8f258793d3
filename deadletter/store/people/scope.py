"""By which sources the events came that an address names: what a grant for some sources is held against."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlalchemy import Select, exists, select, union
from sqlalchemy.orm import Session

from deadletter.allowed import plain_arn
from deadletter.store.models import Event, Group, GroupSource, Record, RedriveItem, Sender, Source


def _of_event(event_id: object) -> Select[str]:
    return select(Source.arn).join(Record, Record.source_id == Source.id).where(Record.event_id == event_id).distinct()


def _of_group(group_id: object) -> Select[str]:
    came = GroupSource.source_id == Source.id
    return select(Source.arn).join(GroupSource, came).where(GroupSource.group_id == group_id).distinct()


def _of_redrive(redrive_id: object) -> Select[str]:
    in_it = exists().where(
        Event.source_id == Source.id, RedriveItem.event_id == Event.id, RedriveItem.redrive_id == redrive_id
    )
    return select(Source.arn).where(in_it)


def _of_source(source_id: object) -> Select[str]:
    return select(Source.arn).where(Source.id == source_id)


SOURCES_OF: Mapping[str, Callable[[object], Select[str]]] = {
    "event_id": _of_event,
    "group_id": _of_group,
    "redrive_id": _of_redrive,
    "source_id": _of_source,
}
"""The sources of one event, group, redrive or source, by the name that addresses call its id by."""


def sources_of_target(session: Session, arn: str) -> set[str]:
    """Return the sources, by ARN, whose events go to a target: whichever version or alias of a function they name.

    Said by counters and settings, without a look at events: what a group's events name, what a source was given, and
    what tells a source's functions apart. A source that was removed counts for the events that it left behind.
    """
    plain = plain_arn(arn.strip())
    begins = Source.target_arn.startswith(plain, autoescape=True)
    given = session.execute(select(Source.arn, Source.target_arn).where(begins))
    told = select(Source.arn).join(Sender, Sender.source_id == Source.id).where(Sender.function_arn == plain)
    came = select(Source.arn).join(GroupSource, GroupSource.source_id == Source.id)
    came = came.join(Group, Group.id == GroupSource.group_id).where(Group.function_arn == plain, GroupSource.n > 0)
    sources = {row.arn for row in given if row.target_arn and plain_arn(row.target_arn) == plain}
    return sources | set(session.scalars(union(told, came)))
