"""One cause, one fingerprint: the function, the error type, and its own stack frames or else the masked message. Pure.

The same cause gives the same fingerprint in every process and whatever came before. `VERSION` changes with the masks
and the rules, and stands before the hash, so that old groups are not mixed with new ones.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from deadletter.event import Cause, Producer, name_of
from deadletter.fingerprint.causes import End, cause_from, cause_of, end_of, fallback_title
from deadletter.fingerprint.frames import in_app_frames
from deadletter.fingerprint.masks import Masked, mask, masked_text, masked_things

__all__ = [
    "VERSION",
    "Fingerprint",
    "Masked",
    "cause_from",
    "cause_of",
    "fingerprint",
    "left_out",
    "mask",
    "same_cause",
]

VERSION = 1
_TITLE_CHARS = 80
_HEADLINE_WORDS = 3
_LAMBDA_PARTS = 7
_REMEMBERED_CHARS = 4_000
"""What is longer is not kept in memory: all that is stays under a few megabytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """What makes events one group, and what of each does not count.

    `value` is the version and a hash, ``1:9f86d081...``. `frames` are empty where the message made the fingerprint.
    `left_out` are people's words for what varies and was not counted.
    """

    value: str
    version: int
    function_arn: str | None
    function_name: str
    error_type: str | None
    title: str
    masked: str | None
    frames: tuple[str, ...]
    left_out: tuple[str, ...]


def fingerprint(cause: Cause) -> Fingerprint:
    """Return the fingerprint of *cause*, from at most 1,000 characters of message and 2,000 lines of stack."""
    end = end_of(cause)
    message = end.message if end else cause.error_message
    masked = masked_text(message) if message else None
    frames = () if end else in_app_frames(cause.stack_trace)
    facts = (cause.function_arn, cause.error_type, cause.condition, masked)
    size = sum(map(len, filter(None, facts))) + sum(map(len, frames))
    made = _made if size <= _REMEMBERED_CHARS else _made.__wrapped__
    return made(*facts, cause.producer, end, frames)


# A bad deploy writes the same cause a million times: all that follows from the masked text is worked out once.
@lru_cache(maxsize=1024)
def _made(  # noqa: PLR0913, PLR0917 - what it is remembered by
    function_arn: str | None,
    error_type: str | None,
    condition: str | None,
    masked: str | None,
    producer: Producer | None,
    end: End | None,
    frames: tuple[str, ...],
) -> Fingerprint:
    unqualified = _unqualified(function_arn)
    cause = Cause(error_type=error_type, condition=condition, producer=producer)
    title = _title(cause, end, masked)
    return Fingerprint(
        value=_hash(unqualified, end.error_type if end else error_type, frames, masked or title),
        version=VERSION,
        function_arn=unqualified,
        function_name=name_of(unqualified) if unqualified else "unknown function",
        error_type=error_type or None,
        title=title,
        masked=masked,
        frames=frames,
        left_out=left_out(masked=masked, frames=frames),
    )


def same_cause(
    *, function_name: str, error_type: str | None, masked: str | None, frames: Sequence[str], new: Fingerprint
) -> bool:
    """Return whether *new* is the cause that a known group's facts describe.

    Equal type and frames are; so is an equal masked message where one side knows less: a DLQ's message carries neither
    type nor stack, and the answer of the same failure's next invocation carries both.
    """
    if function_name != new.function_name or not _agree(error_type, new.error_type) or not _agree(frames, new.frames):
        return False
    return masked == new.masked or (bool(frames) and error_type == new.error_type and tuple(frames) == new.frames)


def left_out(*, masked: str | None, frames: Sequence[str]) -> tuple[str, ...]:
    """Return people's words for what does not count in a group with these facts."""
    if frames:
        return ("line numbers", "the message's wording", *masked_things(masked or ""))
    return masked_things(masked or "")


def _agree(one: str | Sequence[str] | None, other: str | Sequence[str] | None) -> bool:
    """Whether two facts are equal, or one of them is not known."""
    return not one or not other or tuple(one) == tuple(other)


def _hash(function_arn: str | None, error_type: str | None, frames: Sequence[str], text: str) -> str:
    parts = [function_arn or "", error_type or "", *(frames or ("", text))]
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
    return f"{VERSION}:{digest}"


def _title(cause: Cause, end: End | None, masked: str | None) -> str:
    if end:
        return end.title
    words = " ".join((cause.error_type or _headline(masked or "")).split())
    if not words:
        return fallback_title(cause)
    return words if len(words) <= _TITLE_CHARS else words[:_TITLE_CHARS].rsplit(" ", 1)[0] + "…"


def _headline(message: str) -> str:
    """Return what stands before the first colon, where that is a sentence's worth; else all of *message*."""
    head, colon, _ = message.partition(": ")
    return head if colon and len(head.split()) >= _HEADLINE_WORDS else message


def _unqualified(arn: str | None) -> str | None:
    """Return a function's ARN without alias or version: a release is not another cause."""
    parts = (arn or "").split(":")
    return ":".join(parts[:_LAMBDA_PARTS]) if parts[2:3] == ["lambda"] else arn or None
