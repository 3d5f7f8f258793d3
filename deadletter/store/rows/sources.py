"""Sources as pages list them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRow:
    """A source, as the overview and the worker see it; `growth_*`: failures this hour so far, and the hour before.

    `senders` are functions by role id, where several leave their failures there and only the SenderId tells which; they
    are there for whoever asks for them.
    """

    id: int
    arn: str
    name: str
    kind: str
    target_kind: str | None
    target_arn: str | None
    added_at: datetime
    collected_total: int
    last_collected_at: datetime | None
    depth: int | None
    in_flight: int | None
    retention_s: int | None
    oldest_sent_at: datetime | None
    state_at: datetime | None
    error: str | None
    error_since: datetime | None
    next_try_at: datetime | None
    mode: str = "collect"
    paused_at: datetime | None = None
    removed_at: datetime | None = None
    redrives_to: str | None = None
    skipped: int = 0
    """Objects under its prefix that are left alone; see `list_skipped`."""
    growth_last_hour: int = 0
    growth_hour_before: int = 0
    senders: Mapping[str, str] = field(default_factory=dict)

    @property
    def observed(self) -> bool:
        """Whether what lies there is copied and left."""
        return self.mode == "observe"

    @property
    def expires_at(self) -> datetime | None:
        """When AWS drops the oldest message still in the queue; None when it is empty or its retention is not known."""
        if not self.depth or self.oldest_sent_at is None or self.retention_s is None:
            return None
        return self.oldest_sent_at + timedelta(seconds=self.retention_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class SkippedRow:
    """An object that is left where it lies: its key, its size in bytes, and why."""

    source_id: int
    name: str
    size: int | None
    reason: str
    skipped_at: datetime
