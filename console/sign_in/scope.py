"""Grants that hold for some sources only: what such a person sees of events, and what they may do to which.

Causes and counts (groups, redrives, reports) are shown to everybody with a role. Events, their payloads and every act
on them keep to the sources of one's grants.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from console import context
from deadletter.access import Forbidden, Permission, Verdict
from deadletter.discovery.places import Place
from deadletter.event import TargetRef
from deadletter.filters import EventFilter
from deadletter.store.allowed import allows_without
from deadletter.store.people.scope import SOURCES_OF, sources_of_target
from deadletter.store.selection import source_arns_of
from deadletter.store.sources import find_source, list_source_arns


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


def may_target(arn: str) -> Verdict:
    """Return whether the asking person may change what holds for everybody who sends to a target, and why not.

    That needs the role for every source whose events go there: a target has its settings, and its place on the list of
    those that may be sent to, once for all of them.
    """
    principal = context.principal()
    arns = () if principal.everywhere(Permission.CONFIGURE) else sources_of_target(context.session(), arn)
    return principal.may_all(Permission.CONFIGURE, arns, arn[:200])


def check_target(arn: str) -> None:
    """Raise Forbidden unless `may_target`."""
    _require(may_target(arn))


def check_source_target(source_arn: str, target: TargetRef | None) -> None:
    """Raise Forbidden unless the asking person may let a source's events go to *target*, None where that is not known.

    They may where it changes nothing for the events of sources that are not theirs: no target that those name may be
    sent to from then on, or no more.
    """
    principal, source = context.principal(), find_source(context.session(), source_arn)
    if principal.everywhere(Permission.CONFIGURE):
        return
    before, after = source.target_arn if source and not source.removed_at else None, target and target.arn
    for arn in {before, after} - {None} if before != after else ():
        _check_allowing(str(arn), source_arn, source.id if source else None)


def _check_allowing(arn: str, source_arn: str, source_id: int | None) -> None:
    if allows_without(context.session(), source_id, arn, context.settings().allowed_targets):
        return
    others = sources_of_target(context.session(), arn) - {source_arn.strip()}
    if others:
        _require(context.principal().may_all(Permission.CONFIGURE, others, arn[:200]))


def registrable(places: Sequence[Place]) -> Sequence[Place]:
    """Return those of *places* that the asking person may register without a question."""
    principal = context.principal()
    return [place for place in places if place.registrable and principal.may(Permission.CONFIGURE, place.source_arn)]


def _require(verdict: Verdict) -> None:
    if not verdict:
        raise Forbidden(verdict.reason)


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
