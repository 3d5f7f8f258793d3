"""Asking targets for their own limits, once a plan names them: what the plan says, and what sending keeps to."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Engine

from deadletter.errors import NetworkError
from deadletter.event import TargetKind
from deadletter.ports import Target, TargetFacts
from deadletter.store import read, write
from deadletter.store.redrives.lanes import list_unread, note_facts

log = logging.getLogger(__name__)


def read_limits(engine: Engine, open_target: Callable[[TargetKind, str, str], Target], *, now: datetime) -> int:
    """Ask the targets of open redrives that nobody asked lately; return how many. What one will not say is unknown."""
    with read(engine) as session:
        unread = list_unread(session, now=now)
    for kind, arn in unread:
        facts = _facts(open_target, kind, arn)
        with write(engine) as session:
            note_facts(session, arn, facts, now=now)
    return len(unread)


def _facts(open_target: Callable[[TargetKind, str, str], Target], kind: TargetKind, arn: str) -> TargetFacts:
    try:
        return open_target(kind, arn, "RequestResponse").facts()
    except NetworkError:
        log.info("a target does not say its limits", exc_info=True, extra={"arn": arn})
    except Exception:
        log.exception("a target cannot be asked for its limits", extra={"arn": arn})
    return TargetFacts()
