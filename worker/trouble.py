"""A source that errs: written down for people to see, and left alone, ever longer."""

from __future__ import annotations

import logging
import random
from datetime import timedelta

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from deadletter.errors import SourceError
from deadletter.ports import Clock
from deadletter.store import write
from deadletter.store.rows import SourceRow
from deadletter.store.sources import note_error

log = logging.getLogger(__name__)

LONGEST_PAUSE_S = 300.0
"""The longest that a source that errs is left alone."""

_FIRST_PAUSE_S = 1.0


def back_off(engine: Engine, clock: Clock, row: SourceRow, error: SourceError, *, errors: int) -> float:
    """Write down the *errors*-th error in a row of a source; return how many seconds to leave it alone."""
    longest = min(LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(errors - 1, 10))
    pause_s = max(longest * random.uniform(0.5, 1.0), error.retry_after_s or 0.0)  # noqa: S311 - no secret
    now = clock.now()
    log.warning("a source errs", extra={"arn": row.arn, "error": str(error), "pause_s": round(pause_s, 1)})
    try:
        with write(engine) as session:
            note_error(session, row.id, str(error), now, now + timedelta(seconds=pause_s))
    except DBAPIError:
        log.exception("a source's error could not be written down", extra={"arn": row.arn})
    return pause_s
