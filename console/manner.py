"""What is done with what lies in a source, in words. Pure."""

from __future__ import annotations

from deadletter.store.rows import SourceRow

_WORDS = {
    ("sqs", "collect"): "collected: stored, then deleted from the queue",
    ("sqs", "observe"): "observed: copied, and left in the queue",
    ("s3", "collect"): "collected: stored, then deleted from the bucket",
    ("s3", "observe"): "copied, and left in the bucket",
}
PUSHED = "pushed to our function"


def manner_of(source: SourceRow) -> str:
    """Return what is done with what lies in *source*: ``observed: copied, and left in the queue``."""
    return _WORDS.get((source.kind, source.mode), PUSHED)
