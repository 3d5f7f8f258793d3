"""By which sources the events came that an address names: what a grant for some sources is held against."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlalchemy import Select, exists, select

from deadletter.store.models import Event, GroupSource, Record, RedriveItem, Source


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
