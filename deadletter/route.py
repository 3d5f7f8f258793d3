"""What a record leaves out and AWS can still say: where its event was going, and in which form. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from deadletter.event import FailedEvent, Json, Producer, Redrivable, TargetKind, TargetRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The one consumer that failed, and the form in which it gets its events.

    `raw` is a subscription's RawMessageDelivery. `input`, `input_path`, and `template` with its `paths` are a rule's
    input transformation, or a pipe's InputTemplate; at most one of the three is set. `group_id` is the message group
    that a rule gives a FIFO queue. `payload_text` is a schedule's whole input, where the record's was cut.
    `partition_key` is what a data stream's records are put under, `partition_key_path` where in the event that stands.
    `attributes` are those that a schedule's own request gives its message.
    """

    target: TargetRef
    raw: bool = False
    input: str | None = None
    input_path: str | None = None
    template: str | None = None
    paths: Mapping[str, str] = field(default_factory=dict)
    group_id: str | None = None
    payload_text: str | None = None
    partition_key: str | None = None
    partition_key_path: str | None = None
    attributes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Json]:
        """Return the route as a JSON object."""
        return {**asdict(self), "target": {"kind": self.target.kind.value, "arn": self.target.arn}}

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Route:
        """Return the route that `to_json` wrote."""
        target = TargetRef(TargetKind(data["target"]["kind"]), data["target"]["arn"])
        return cls(**{**data, "target": target})


@dataclass(frozen=True, slots=True)
class Supplement:
    """What was found out for an event, to be sent with what its record holds."""

    payload_text: str | None = None
    route: Route | None = None


def needs_stream(event: FailedEvent) -> bool:
    """Return whether the event has to be fetched from its stream."""
    return event.stream is not None and event.payload_text is None


def needs_route(event: FailedEvent) -> bool:
    """Return whether the record names who gave up, but not who was to get the event, or in which form."""
    if event.origin_arn is None:
        return False
    match event.producer:
        case Producer.SNS_SUBSCRIPTION | Producer.PIPES:
            return True
        case Producer.EVENTBRIDGE_RULE:
            return event.target is not None
        case Producer.SCHEDULER:
            return event.redrivable is Redrivable.REFETCH or _has_parameters(event.target)
        case _:
            return False


def _has_parameters(target: TargetRef | None) -> bool:
    """Return whether a schedule has to say more than where: a stream's partition key, a FIFO queue's message group."""
    return target is not None and (target.kind is TargetKind.KINESIS or target.arn.endswith(".fifo"))
