"""Every state that a page can be in, on top of the bad week: redrives, groups, events, targets, a map, workers.

Run it to look at them: ``python -m tests.states FOLDER``, then ``REDRIVE_DATA_DIR=FOLDER redrive serve``.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Engine

from tests.states.around import groups, map_of_account, targets, workers
from tests.states.events import odd_events
from tests.states.night import Night
from tests.states.redrives import redrives


def make_states(engine: Engine, now: datetime) -> Night:
    """Let everything happen that can, in a seeded database, within the hour before *now*."""
    night = Night(engine, now)
    for part in (workers, odd_events, targets, map_of_account, redrives, groups):
        part(night)
    return night
