"""Where the console's pages are: those of a night on call in the bar, the others in a menu; the keys that go there."""

from __future__ import annotations

from dataclasses import dataclass

from flask import request

from console import context
from console.sign_in.rules import RULES
from deadletter.store.standing import read_standing


@dataclass(frozen=True, slots=True)
class Place:
    """A page of the navigation: its name, its endpoint, and the key that goes there after ``g``."""

    name: str
    endpoint: str
    key: str


@dataclass(frozen=True, slots=True)
class ShownPlace:
    """A place as one request shows it: the number beside it (0 for none), whether that warns, whether we are there."""

    place: Place
    n: int = 0
    warns: bool = False
    here: bool = False


OVERVIEW = Place("Overview", "overview.index", "o")
GROUPS = Place("Groups", "groups.index", "g")
EVENTS = Place("Events", "events.index", "e")
REDRIVES = Place("Redrives", "redrives.index", "r")
UNKNOWN = Place("Unknown", "unknown.index", "u")
REPORTS = Place("Reports", "reports.index", "p")
MORE = (
    Place("Sources", "sources.index", "s"),
    Place("Discovery", "discovery.index", "d"),
    Place("Targets", "targets.index", "t"),
    Place("Workers", "workers.index", "w"),
    Place("Audit", "audit.index", "a"),
    Place("People", "people.index", "l"),
    Place("You", "you.index", "y"),
)
EVERYWHERE = (OVERVIEW, GROUPS, EVENTS, REDRIVES, UNKNOWN, REPORTS, *MORE)
"""Every place, in the order of the keyboard's help."""


def bar(*, counted: bool = True) -> list[ShownPlace]:
    """Return the places of the bar, with what is open, running and unknown now.

    Not *counted*, it asks the database nothing: for the page that says that the database does not answer.
    """
    groups, running, unknown = read_standing(context.session(), context.now()) if counted else (0, 0, 0)
    return [
        _shown(OVERVIEW),
        _shown(GROUPS, groups),
        _shown(EVENTS),
        _shown(REDRIVES, running),
        _shown(UNKNOWN, unknown, warns=unknown > 0),
        _shown(REPORTS),
    ]


def menu() -> list[ShownPlace]:
    """Return the places of the quieter menu that whoever asks may open."""
    return [_shown(place) for place in MORE if _open(place)]


def _shown(place: Place, n: int = 0, *, warns: bool = False) -> ShownPlace:
    return ShownPlace(place, n, warns, here=request.blueprint == place.endpoint.split(".")[0])


def _open(place: Place) -> bool:
    needed = RULES[place.endpoint]
    return needed is None or bool(context.may(needed))
