"""The places where failures land: who writes there, and where a redrive would go."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from deadletter.discovery.account import Account, service_of
from deadletter.discovery.writers import SILENT, Writer, writers_of
from deadletter.event import BUCKET_ARN, QUEUE_ARN, TargetRef, name_of

LAMBDAS_PREFIX = "aws/lambda/"
"""What the keys of all objects begin with that Lambda leaves in a bucket (Developer Guide)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where failures land. `kind` is the service of its ARN: `sqs`, `sns`, `s3`, `events`, `lambda`, `kafka`.

    `target` is where the events go whose records do not name their consumer; where that could be several, `target` is
    None, `ambiguous` is True and `senders` maps the role id that begins a message's SenderId to the function (empty
    where roles cannot tell). `why` says it all in a sentence. `read_by` are the functions that read the queue: to
    collect from it would take their messages. `registrable` is whether it can be added as a source without a question.
    `source_arn` is what is added then: of a bucket, what Lambda writes there.
    """

    arn: str
    kind: str
    name: str
    writers: tuple[Writer, ...]
    target: TargetRef | None
    ambiguous: bool
    senders: Mapping[str, str] = field(default_factory=dict)
    why: str
    read_by: tuple[str, ...]
    registered: bool
    registrable: bool

    @property
    def source_arn(self) -> str:
        """What of the place is a source."""
        return f"{self.arn}/{LAMBDAS_PREFIX}" if self.kind == "s3" else self.arn

    @property
    def collectable(self) -> bool:
        """Whether it can be a source of its own: a queue that nobody reads, or a bucket."""
        return not self.read_by and any(pattern.fullmatch(self.arn) for pattern in (QUEUE_ARN, BUCKET_ARN))


@dataclass(frozen=True, slots=True)
class _Way:
    """Where a redrive from a place would go."""

    why: str
    target: TargetRef | None = None
    clear: bool = False
    ambiguous: bool = False
    senders: Mapping[str, str] = field(default_factory=dict)


def list_places(account: Account, registered: Collection[str]) -> tuple[Place, ...]:
    """Return every place, by ARN; *registered* are the sources' ARNs, which are places whoever writes there."""
    found: dict[str, set[Writer]] = defaultdict(set)
    registered = {place_of(arn) for arn in registered}
    for arn in registered:
        found[arn] = set()
    for arn, writer in writers_of(account):
        found[arn].add(writer)
    readers = _readers(account)
    return tuple(_place(arn, found[arn], readers.get(arn, set()), arn in registered) for arn in sorted(found))


def place_of(source_arn: str) -> str:
    """Return the ARN of the place that a source is in: a prefix is in its bucket."""
    return source_arn.partition("/")[0] if service_of(source_arn) == "s3" else source_arn


def _readers(account: Account) -> Mapping[str, set[str]]:
    readers: dict[str, set[str]] = defaultdict(set)
    for mapping in account.mappings:
        if mapping.source_arn and mapping.runs:
            readers[mapping.source_arn].add(mapping.function_arn)
    return readers


def _place(arn: str, writers: Collection[Writer], readers: Collection[str], registered: bool) -> Place:  # noqa: FBT001 - one call, above
    ordered = sorted(writers, key=lambda each: (each.producer, each.arn, each.how, str(each.target), str(each.role_id)))
    way, source = _way(ordered), any(pattern.fullmatch(arn) for pattern in (QUEUE_ARN, BUCKET_ARN))
    return Place(
        arn=arn,
        kind=service_of(arn),
        name=name_of(arn),
        writers=tuple(ordered),
        target=way.target,
        ambiguous=way.ambiguous,
        senders=way.senders,
        why=_with_hindrance(way.why, readers, source=source),
        read_by=tuple(sorted(readers)),
        registered=registered,
        registrable=source and way.clear and not (registered or readers),
    )


def _way(writers: Sequence[Writer]) -> _Way:
    if not writers:
        return _Way("Nothing that could be read writes here.")
    targets = {writer.target for writer in writers}
    silent = [writer for writer in writers if writer.producer in SILENT]
    unnamed = {writer.target for writer in silent}
    if not silent and (len(targets) > 1 or None in targets):  # None: no function and no queue, as a state machine is
        return _Way("Each record names its own consumer.", clear=True)
    if len(unnamed) > 1:
        return _ambiguous(silent)
    (target,) = unnamed or targets
    if target is None:
        return _Way("Its consumer is not one that a redrive can send to: name a function or a queue.")
    others = "" if len(targets) == 1 else " Other records name their own consumer."
    return _Way(f"A redrive goes to {name_of(target.arn)}.{others}", target, clear=True)


def _ambiguous(silent: Sequence[Writer]) -> _Way:
    names = ", ".join(sorted({name_of(writer.target.arn) if writer.target else "another" for writer in silent}))
    said = f"Its messages do not say which consumer failed, and it can be any of these: {names}."
    if senders := _senders(silent):
        return _Way(f"{said} The role id in a message's SenderId tells.", ambiguous=True, senders=senders)
    return _Way(f"{said} Say which when you add it.", ambiguous=True)


def _senders(silent: Sequence[Writer]) -> Mapping[str, str]:
    """Return consumers by role id; nothing unless every one has a role, and shares it with no other consumer."""
    consumers: dict[str, set[str]] = defaultdict(set)
    for writer in silent:
        consumers[writer.role_id or ""].add(writer.target.arn if writer.target else "")
    if "" in consumers or any(len(arns) > 1 or "" in arns for arns in consumers.values()):
        return {}
    return {role_id: min(arns) for role_id, arns in sorted(consumers.items())}


def _with_hindrance(why: str, readers: Collection[str], *, source: bool) -> str:
    if readers:
        names = ", ".join(sorted(name_of(arn) for arn in readers))
        return f"{why} It is read by {names}: to collect from it would take those messages."
    return why if source else f"{why} It is no queue: subscribe one to it, or collect there some other way."
