"""Workers as they last said what they do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRow:
    """A worker and when it was last heard of.

    `lead` is the worker that a helping process belongs to. `activity` is what its threads did when it was last heard
    of: events per second by source (`collecting`) and target (`sending`, with the calls that are out), and `threads`.
    """

    id: str
    started_at: datetime
    seen_at: datetime
    doing: str
    lead: str | None = None
    activity: Mapping[str, Any] = field(default_factory=dict)
