"""Looking up what a record leaves out, once it is collected: the batch that it points at, and who was to get it."""

from __future__ import annotations

from datetime import datetime

from deadletter.errors import LookupBusy, LookupRefused, TargetRefused
from deadletter.event import FailedEvent, Producer, StreamRange
from deadletter.ports import Lookups
from deadletter.refetch import Batch, Found, LookupStatus, deadline, lambda_event, pipe_input, rebuild_batch
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
        route = lookups.route(event) if needs_route(event) else None
        batch = _fetch(event, where, lookups) if where else None
        return _found(event, route, batch, forgotten_at)
    except LookupBusy as error:
        if where and forgotten_at and forgotten_at < now:
            gone = rebuild_batch(where, [], role_arn=None)
            return Found(status=LookupStatus.LOST, said=gone.said, deadline_at=forgotten_at, batch=gone)
        pause_s = max(error.retry_after_s or 0.0, min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(tries, 10)))
        said = str(error)
        return Found(status=LookupStatus.WAITING, said=said, retry_after_s=pause_s, deadline_at=forgotten_at)
    except (LookupRefused, TargetRefused) as error:
        return Found(
            status=LookupStatus.REFUSED, said=str(error), retry_after_s=REFUSED_PAUSE_S, deadline_at=forgotten_at
        )


def _fetch(event: FailedEvent, where: StreamRange, lookups: Lookups) -> Batch:
    part = lookups.fetch(where, event.function_arn)
    return rebuild_batch(where, part.records, role_arn=part.role_arn)


def _found(event: FailedEvent, route: Route | None, batch: Batch | None, forgotten_at: datetime | None) -> Found:
    if batch is None:
        return Found(status=LookupStatus.FOUND, route=route)
    status = LookupStatus.FOUND if batch.lost_first is None else LookupStatus.PARTIAL
    if not batch.records:
        status = LookupStatus.LOST
    return Found(
        status=status,
        said=batch.said,
        deadline_at=forgotten_at,
        batch=batch,
        payload_text=_payload(event, batch, route) if batch.records else None,
        route=route,
    )


def _payload(event: FailedEvent, batch: Batch, route: Route | None) -> str:
    is_pipe = event.producer is Producer.PIPES and route is not None
    return pipe_input(batch.records, route) if is_pipe and route else lambda_event(batch.records)
