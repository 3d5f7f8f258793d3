"""Registering a source, after a look at what reading it would do to it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Engine

from deadletter.actor import Actor
from deadletter.errors import NeedsConfirming, SourceError
from deadletter.event import TargetRef, name_of
from deadletter.ports import ObservedSource, SourceState
from deadletter.store import write
from deadletter.store.rows import SourceRow
from deadletter.store.sources import OBSERVE, add_source, kind_of


def register(  # noqa: PLR0913 - what is said of a source, each by its name
    engine: Engine,
    arn: str,
    *,
    target: TargetRef | None,
    by: Actor,
    now: datetime,
    open_observed: Callable[[str], ObservedSource],
    mode: str | None = None,
    kind: str | None = None,
    confirmed: bool = False,
) -> SourceRow:
    """Register a source as `add_source` does, but not a queue to be observed whose messages that could move.

    Args:
        engine: The database.
        arn: See `add_source`; so are *target*, *by*, *now*, *mode* and *kind*.
        target: Where its events go when their records do not say.
        by: Who adds it.
        now: When.
        open_observed: Makes a queue from its ARN, to be asked for its redrive policy.
        mode: `collect` or `observe`.
        kind: `push` for a queue that is our function's event source.
        confirmed: Whether the person knows what observing does to this queue.

    Raises:
        BadInput: It can be no source.
        NeedsConfirming: The queue has a redrive policy of its own, or does not say whether it has one.
    """
    arn = arn.strip()
    if mode == OBSERVE and not confirmed and (kind or kind_of(arn)) == "sqs" and (why := _warning(arn, open_observed)):
        raise NeedsConfirming(why)
    with write(engine) as session:
        return add_source(session, arn, target=target, by=by, now=now, mode=mode, kind=kind)


def _warning(arn: str, open_observed: Callable[[str], ObservedSource]) -> str | None:
    """Return what observing would do to the queue, as a sentence; None where it would do nothing."""
    try:
        state = open_observed(arn).state()
    except SourceError as error:
        return (
            f"Whether {name_of(arn)} has a redrive policy of its own could not be read: if it has one, each time that "
            f"we read a message counts towards moving it on. Confirm that it has none, or let us look. ({error})"
        )
    return _policy_warning(arn, state) if state.redrives_to else None


def _policy_warning(arn: str, state: SourceState) -> str:
    after = f"after {state.max_receives:,} receives" if state.max_receives else "after some receives"
    return (
        f"{name_of(arn)} has a redrive policy of its own: SQS moves a message on to {state.redrives_to} {after}, and "
        "each time that we read it to observe counts as one. Confirm that this may be, or let the source be collected."
    )
