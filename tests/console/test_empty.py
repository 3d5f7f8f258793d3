from datetime import UTC, datetime, timedelta
from typing import Any

from console.empty import alive, why_empty
from deadletter.store.rows import SourceRow, WorkerRow

NOW = datetime(2026, 11, 23, 3, 14, 7, tzinfo=UTC)
WORKER = WorkerRow(id="w", started_at=NOW, seen_at=NOW - timedelta(seconds=3), doing="collecting")


def make_source(**given: Any) -> SourceRow:
    facts: dict[str, Any] = dict.fromkeys(SourceRow.__dataclass_fields__)
    facts |= {"id": 1, "arn": "arn", "name": "orders-dlq", "kind": "sqs", "added_at": NOW, "collected_total": 0}
    return SourceRow(**facts | {"growth_last_hour": 0, "growth_hour_before": 0} | given)


READ = make_source(last_collected_at=NOW - timedelta(seconds=4), collected_total=9)


def test_without_a_source_it_asks_for_one() -> None:
    empty = why_empty("groups", filtered=False, sources=[], workers=[WORKER], now=NOW)
    assert empty.needs_source
    assert empty.title == "No source is registered"


def test_a_filter_that_hides_everything_says_so() -> None:
    empty = why_empty("events", filtered=True, sources=[READ], workers=[WORKER], now=NOW)
    assert empty.hidden
    assert empty.title == "No events match this filter"


def test_without_a_worker_it_says_how_to_start_one() -> None:
    silent = WorkerRow(id="w", started_at=NOW, seen_at=NOW - timedelta(minutes=5), doing="")
    empty = why_empty("groups", filtered=False, sources=[READ], workers=[silent], now=NOW)
    assert empty.title == "No worker is running"
    assert empty.sentence == "Sources were last read 4 s ago. Start one with: redrive work"


def test_before_the_first_answer_nothing_is_claimed() -> None:
    empty = why_empty("groups", filtered=False, sources=[make_source()], workers=[WORKER], now=NOW)
    assert (empty.title, empty.may_change) == ("Nothing collected yet", True)


def test_when_nothing_failed_it_says_when_it_last_looked_and_where_it_cannot() -> None:
    sources = [READ, make_source(error="The permission is missing.")]
    empty = why_empty("groups", filtered=False, sources=sources, workers=[WORKER], now=NOW)
    assert empty.title == "No open groups"
    assert empty.sentence == (
        "Last collected 4 s ago from 1 source. 1 source cannot be read: failures there are not seen."
    )


def test_a_source_that_never_held_a_failure_says_that_nothing_has_failed() -> None:
    quiet = make_source(last_collected_at=NOW - timedelta(seconds=4))
    assert why_empty("groups", filtered=False, sources=[quiet], workers=[WORKER], now=NOW).title == "Nothing has failed"


def test_a_worker_that_was_silent_for_a_while_counts_as_gone() -> None:
    assert alive([WORKER], NOW)
    assert not alive([WORKER], NOW + timedelta(minutes=1))
