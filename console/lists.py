"""What the list pages share: a page of events, and why a list is empty. Reads the database."""

from __future__ import annotations

from typing import Any, NamedTuple

from console.context import now, session
from console.empty import WORKER_SILENT, Empty, why_empty
from console.forms import Listing
from console.sign_in.scope import narrowed
from deadletter.store import queries
from deadletter.store.rows import Count, StatusCounts
from deadletter.store.sources import list_sources


def events_facts(listing: Listing, counts: StatusCounts | None = None) -> dict[str, Any]:
    """Return what `events/_list.html` shows: the page, how many match, and why it is empty if it is.

    *counts* are of all events, where the page has asked for them already: who sees all of them asks no second time.
    """
    chosen = narrowed(listing.chosen)
    page = queries.list_events(session(), chosen, cursor=listing.cursor)
    total = Count(counts.total) if counts and chosen.is_empty else queries.count_events(session(), chosen)
    return {"listing": listing, "page": page, "total": total, "empty": None if page.rows else empty("events", listing)}


class News(NamedTuple):
    """How many failures `arrived` since a page counted `total`, and whether there is a worker to wait for more."""

    arrived: int
    polls: bool
    total: int
    back: str


def news(back: str, *, total: int, before: int | None = None) -> News:
    """Return what is new at *total* events since the page at *back* counted *before*; nothing where it counts now."""
    before = total if before is None else before
    heard = queries.last_heard(session())
    return News(total - before, heard is not None and now() - heard <= WORKER_SILENT, before, back)


def empty(noun: str, listing: Listing) -> Empty:
    """Return why a list of *noun* is empty."""
    return why_empty(
        noun,
        filtered=listing.filtered,
        sources=list_sources(session(), now=now()),
        workers=queries.list_workers(session()),
        now=now(),
    )
