"""A handler's idempotency table in memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from deadletter.preflight import Record, Rules


@dataclass
class FakeRecords:
    """What `open_records` opens: records by key; `error` is raised instead where it is given."""

    records: dict[str, Record] = field(default_factory=dict)
    error: Exception | None = None
    asked: list[frozenset[str]] = field(default_factory=list)

    def __call__(self, rules: Rules, target_arn: str) -> FakeRecords:
        assert rules.table
        assert target_arn
        return self

    def look_up(self, keys: Collection[str]) -> Mapping[str, Record]:
        if self.error:
            raise self.error
        self.asked.append(frozenset(keys))
        return {key: self.records[key] for key in keys if key in self.records}
