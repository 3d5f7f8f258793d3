"""What the Discovery page says of a map, in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from console.format import plural, span
from deadletter.discovery import AccountMap
from deadletter.discovery.account import short_name
from deadletter.discovery.gaps import GapKind
from deadletter.discovery.places import Place
from deadletter.discovery.writers import Writer
from deadletter.event import name_of
from deadletter.store.discoveries import DiscoveryRow

GAP_WORDS: Mapping[GapKind, str] = {
    GapKind.FUNCTION: "function",
    GapKind.QUEUE: "queue",
    GapKind.RULE: "rule",
    GapKind.SCHEDULE: "schedule",
    GapKind.STREAM: "stream mapping",
    GapKind.PIPE: "pipe",
    GapKind.RETENTION: "retention",
}


def thing_name(arn: str) -> str:
    """Return what people call the thing with that ARN: a subscription by its topic, a rule by its name."""
    parts = arn.split(":")
    if len(parts) > 6 and parts[2] == "sns":  # noqa: PLR2004 - arn:aws:sns:region:account:topic:subscription
        return parts[5]
    return short_name(name_of(arn))


def choices(place: Place) -> Sequence[str]:
    """Return the consumers, by ARN, that the messages of *place* can be from."""
    return sorted({writer.target.arn for writer in place.writers if writer.target})


def by_producer(writers: Sequence[Writer]) -> Sequence[tuple[str, Sequence[Writer]]]:
    """Return the writers of a place by their producer, as both are sorted."""
    producers = dict.fromkeys(writer.producer.value for writer in writers)
    return [(name, [writer for writer in writers if writer.producer == name]) for name in producers]


def summary(read: DiscoveryRow, drawn: AccountMap) -> str:
    """Return what was read, in how many calls and how long."""
    facts = [scan["facts"] for scan in read.scans]
    functions, queues = (sum(len(each.get(name) or ()) for each in facts) for name in ("functions", "queues"))
    seconds = sum(scan["seconds"] for scan in read.scans)
    took = f"{plural(read.calls, 'call')} in {span(seconds)}"
    lands = f"{plural(len(drawn.places), 'place')} where failures land, {plural(len(drawn.gaps), 'gap')}"
    where = f" of {len(read.scans)} accounts and Regions" if len(read.scans) > 1 else ""
    return f"{plural(functions, 'function')} and {plural(queues, 'queue')}{where}, read by {took}: {lands}"
