"""Looking up what a record leaves out, once it is collected: the batch that it points at, and who was to get it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from deadletter.errors import LookupBusy, LookupRefused, TargetRefused
from deadletter.event import FailedEvent, StreamRange
from deadletter.ports import Lookups
from deadletter.refetch import Batch, Found, LookupStatus, deadline, lambda_event, pipe_input, pipe_list, rebuild_batch
from deadletter.route import Route, needs_route

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 300.0
"""Before what could not be asked is asked again, doubling."""

REFUSED_PAUSE_S = 600.0
"""Before what was refused is asked again: a permission can be granted."""


def look_up(event: FailedEvent, lookups: Lookups, *, tries: int, now: datetime) -> Found:
    """Ask for what *event* leaves out, for the time number *tries*. Never raises for AWS's sake.

    What a stream had forgotten before it could be asked is lost, and so is what it says it does not have.
    """
    where = event.stream if event.payload_text is None else None
    forgotten_at = deadline(where, lookups.retention_s(where)) if where else None
    try:
        batch = _fetch(event, where, lookups) if where else None
        if batch is None or not batch.records:
            return _found(batch, lookups.route(event) if batch is None else None, forgotten_at)
        return _found_batch(event, batch, lookups, forgotten_at)
    except LookupBusy as error:
        if where and forgotten_at and forgotten_at < now:
            gone = rebuild_batch(where, [], role_arn=None)
            return Found(status=LookupStatus.LOST, said=gone.said, deadline_at=forgotten_at, batch=gone)
        pause_s = max(error.retry_after_s or 0.0, min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(tries, 10)))
        said = str(error)
        return Found(status=LookupStatus.WAITING, said=said, retry_after_s=pause_s, deadline_at=forgotten_at)
    except LookupRefused as error:
        return Found(
            status=LookupStatus.REFUSED, said=str(error), retry_after_s=REFUSED_PAUSE_S, deadline_at=forgotten_at
        )


def _fetch(event: FailedEvent, where: StreamRange, lookups: Lookups) -> Batch:
    part = lookups.fetch(where, event.function_arn)
    return rebuild_batch(where, part.records, role_arn=part.role_arn)


def _found_batch(event: FailedEvent, batch: Batch, lookups: Lookups, forgotten_at: datetime | None) -> Found:
    """Return what came of a batch that the stream still has, whatever becomes of the question who was to get it.

    A pipe's batch is kept as it was read where its pipe would not be asked, or its target not be sent to: the stream
    will forget it, and a person can name a target.
    """
    if not needs_route(event):
        return _found(batch, None, forgotten_at, lambda_event(batch.records))
    try:
        route = lookups.route(event)
        return _found(batch, route, forgotten_at, pipe_input(batch.records, route))
    except (LookupRefused, TargetRefused) as error:
        said = f"{error} Its {len(batch.records):,} records are fetched and kept, and go to whom you name as a list."
        found = _found(batch, None, forgotten_at, pipe_list(batch.records))
        said = f"{said} {batch.said}" if batch.said else said
        return replace(found, status=LookupStatus.REFUSED, said=said, retry_after_s=REFUSED_PAUSE_S)


def _found(
    batch: Batch | None, route: Route | None, forgotten_at: datetime | None, payload_text: str | None = None
) -> Found:
    if batch is None:
        return Found(status=LookupStatus.FOUND, route=route)
    status = LookupStatus.FOUND if batch.lost_first is None else LookupStatus.PARTIAL
    return Found(
        status=status if batch.records else LookupStatus.LOST,
        said=batch.said,
        deadline_at=forgotten_at,
        batch=batch,
        payload_text=payload_text,
        route=route,
    )
