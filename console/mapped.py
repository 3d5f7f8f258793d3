"""Sources out of the discovered map: one place, or all that need no question, as far as the asking person may."""

from __future__ import annotations

from collections.abc import Sequence

from console.context import actor, engine, now, session
from console.sign_in.scope import check_source, check_source_target, registrable
from deadletter import scouting
from deadletter.discovery import AccountMap
from deadletter.discovery.places import Place
from deadletter.errors import ChangedSincePlan
from deadletter.event import TargetRef
from deadletter.store.discoveries import DiscoveryRow, latest_discovery


def newest() -> DiscoveryRow | None:
    """Return the newest discovery that finished."""
    return latest_discovery(session(), finished=True)


def drawn(read: DiscoveryRow | None) -> AccountMap:
    """Return the map of a discovery, over the sources as they are now."""
    return scouting.draw(session(), read.scans if read else (), now=now())


def register_clear() -> Sequence[Place]:
    """Add every place that needs no question, and that the asking person may register; return them."""
    return scouting.register_clear(engine(), registrable(drawn(newest()).places), by=actor(), now=now())


def register_place(arn: str, target: TargetRef | None) -> Place:
    """Add one place as a source, with the target that was chosen for it; return it.

    Raises:
        ChangedSincePlan: It is not on the map.
        BadInput: It must be said where its events go.
        Forbidden: It, or its target, is not the asking person's to say.
    """
    place = next((each for each in drawn(newest()).places if each.arn == arn), None)
    if place is None:
        raise ChangedSincePlan(f"{arn[:200]} is not on the map any more. Read the account again.")
    check_source(place.source_arn)
    if target:
        check_source_target(place.source_arn, target)
    scouting.register(engine(), place, target, by=actor(), now=now())
    return place
