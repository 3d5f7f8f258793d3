"""How long silence has to last before a sent event counts as succeeded. Asked of the targets, once a redrive runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sqlalchemy import Engine

from deadletter.event import TargetKind
from deadletter.ports import Target
from deadletter.store import read, write
from deadletter.store.redrives import get_redrive
from deadletter.store.redrives.tending import note_settling_time


def ask_settling_time(engine: Engine, redrive_id: int, open_target: Callable[[TargetKind, str, str], Target]) -> None:
    """Ask the targets of a redrive how long they take to give an event up, and write the longest of it down.

    Where one will not say, the default stands: it is longer than most.
    """
    with read(engine) as session:
        redrive = get_redrive(session, redrive_id)
    settle_s = longest(
        open_target(TargetKind(line["kind"]), line["arn"], redrive.invocation).facts().settle_s
        for line in redrive.targets
        if line["invocation"] != "RequestResponse"
    )
    if settle_s is not None:
        with write(engine) as session:
            note_settling_time(session, redrive_id, settle_s)


def longest(times_s: Iterable[float | None]) -> float | None:
    """Return the longest of *times_s*; None where one is not known, or there are none."""
    known = list(times_s)
    return None if None in known else max((time_s for time_s in known if time_s is not None), default=None)
