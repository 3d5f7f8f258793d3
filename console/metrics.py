"""The console's numbers in Prometheus's text format. Pure: facts in, text out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from deadletter.store.rows import SourceRow
from deadletter.store.totals import TargetTotals
from deadletter.store.vitals import Vitals

_OF_TARGETS = {
    "redriven": "Events handed to the target, whatever became of them.",
    "succeeded": "Events that succeeded after a redrive, also those of which that is presumed.",
    "failed_again": "Events that failed again after a redrive.",
    "unknown": "Events of which a worker that died left unknown whether they were sent.",
}


class _Once(Collector):
    """Hands a list of metrics to prometheus_client, which takes collectors only."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def metrics_text(facts: Vitals, *, now: datetime) -> bytes:
    """Return *facts* as an exposition; ages are in seconds before *now*. What is not known is left out."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Once([*_of_sources(facts.sources, now), *_of_targets(facts.targets), *_overall(facts, now)]))
    return generate_latest(registry)


def _of_sources(sources: Iterable[SourceRow], now: datetime) -> Iterable[Metric]:
    collected = CounterMetricFamily("redrive_collected", "Records stored from the source.", labels=["source"])
    depth = GaugeMetricFamily("redrive_source_depth", "Messages that lie in the source.", labels=["source"])
    oldest = GaugeMetricFamily(
        "redrive_source_oldest_age_seconds", "Age of the oldest message of the last receive.", labels=["source"]
    )
    failing = GaugeMetricFamily("redrive_source_error", "1 while the source cannot be read.", labels=["source"])
    for source in sources:
        collected.add_metric([source.arn], source.collected_total)
        failing.add_metric([source.arn], source.error is not None)
        if source.depth is not None:
            depth.add_metric([source.arn], source.depth)
        if source.oldest_sent_at is not None and source.depth:
            oldest.add_metric([source.arn], _age_s(source.oldest_sent_at, now))
    return collected, depth, oldest, failing


def _of_targets(targets: Iterable[TargetTotals]) -> Iterable[Metric]:
    families = {
        name: CounterMetricFamily(f"redrive_{name}", text, labels=["target"]) for name, text in _OF_TARGETS.items()
    }
    for target in targets:
        for name, family in families.items():
            family.add_metric([target.target_arn], getattr(target, name))
    return families.values()


def _overall(facts: Vitals, now: datetime) -> Iterable[Metric]:
    events = GaugeMetricFamily("redrive_events", "Events, by where they stand.", labels=["status"])
    for status, n in asdict(facts.events).items():
        events.add_metric([status], n)
    yield events
    if facts.oldest_unresolved_at is not None:
        age = GaugeMetricFamily("redrive_oldest_unresolved_age_seconds", "Age of the oldest unresolved failure.")
        age.add_metric([], _age_s(facts.oldest_unresolved_at, now))
        yield age
    yield GaugeMetricFamily("redrive_workers", "Workers heard of within their lease.", value=facts.workers)
    queue = GaugeMetricFamily("redrive_queue", "Events of running redrives, not yet sent.", labels=["outcome"])
    queue.add_metric(["waiting"], facts.waiting)
    queue.add_metric(["sending"], facts.sending)
    yield queue


def _age_s(since: datetime, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds())
