"""What a night of states is made on, and where each of them is found afterwards."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, func, select

from deadletter.collect import parse_batch
from deadletter.event import ReceivedMessage
from deadletter.store import models, read, write
from deadletter.store.ingest import store_messages
from tests.factories import make_source

WORKER = "ip-10-0-3-7:7:3f2a"


@dataclass
class Night:
    """A database, and the ids of what is in it: redrives by the state they are in, events by what is odd in them."""

    engine: Engine
    now: datetime
    redrives: dict[str, int] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)
    groups: dict[str, int] = field(default_factory=dict)
    used: set[int] = field(default_factory=set)
    """Events that are in a redrive already."""

    def store(self, source_name: str, name: str, message: ReceivedMessage, **more: Any) -> None:
        """Collect one message, and call its event *name*."""
        with write(self.engine) as session:
            source = make_source(session, source_name)
            (parsed,) = parse_batch([message], source)
            store_messages(session, source.id, [replace(parsed, **more)], now=self.now)
        self.name_newest(name)

    def name_newest(self, name: str) -> None:
        """Call the event that was stored last *name*."""
        with read(self.engine) as session:
            self.events[name] = session.scalar(select(func.max(models.Event.id))) or 0
