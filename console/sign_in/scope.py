"""Grants that hold for some sources only: what such a person sees of events, and what they may do to which.

Causes and counts (groups, redrives, reports) are shown to everybody with a role. Events, their payloads and every act
on them keep to the sources of one's grants.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from console import context
from deadletter.access import Permission
from deadletter.filters import EventFilter
from deadletter.store.people.scope import SOURCES_OF
from deadletter.store.selection import source_arns_of
from deadletter.store.sources import list_source_arns


def narrowed(chosen: EventFilter) -> EventFilter:
    """Return *chosen*, letting through only what came by sources that the asking person may see."""
    principal = context.principal()
    if principal.everywhere(Permission.VIEW):
        return chosen
    known = list_source_arns(context.session())
    theirs = {source_id for source_id, arn in known.items() if principal.may(Permission.VIEW, arn)}
    asked = theirs if chosen.sources is None else theirs & set(chosen.sources)
    return chosen.with_(sources=tuple(sorted(asked)))


def check_selection(permission: Permission, selection: EventFilter | Sequence[int]) -> None:
    """Raise Forbidden unless the asking person may do this to every event of *selection*, by its own source."""
    principal = context.principal()
    if not principal.everywhere(permission):
        principal.require(permission, source_arns_of(context.session(), selection))


def check_source(arn: str) -> None:
    """Raise Forbidden unless the asking person may register the source with that ARN, or change it by its ARN."""
    context.principal().require(Permission.CONFIGURE, [arn.strip()])


def check_address(permission: Permission, named: Mapping[str, object]) -> None:
    """Raise Forbidden unless the asking person may do this to what an address names: `event_id`, `redrive_id` ...

    One check for every address: a new one that names an event is guarded without being told.
    """
    principal = context.principal()
    if principal.everywhere(permission):
        return
    for name, one in named.items():
        if name in SOURCES_OF and (name == "event_id" or permission is not Permission.VIEW):
            principal.require(permission, context.session().scalars(SOURCES_OF[name](one)).all())
