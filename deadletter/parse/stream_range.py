"""The block in which Lambda and Pipes say where a batch lies in its stream."""

from __future__ import annotations

from deadletter.event import STREAM_ARN, StreamRange
from deadletter.parse.record import Fields

KINESIS, DYNAMODB, KAFKA = "KinesisBatchInfo", "DDBStreamBatchInfo", "KafkaBatchInfo"
BLOCKS = (KINESIS, DYNAMODB, KAFKA)
"""The block's names, by the kind of stream."""

_LONGEST_NUMBER, _LONGEST_SHARD = 128, 128

POINTER = "The record only points at its batch, which has to be fetched again while the stream still keeps it."
HALF = (
    "The record says that a batch of a stream failed, and not where that batch lies: stream, shard or sequence numbers "
    "are missing or no such thing. There is nothing to fetch it by."
)
LATER = (
    "Records of the same keys that came later were processed meanwhile. Sent again, these older ones come after them: "
    "a handler that writes what it gets can overwrite newer state."
)


def block_of(body: Fields) -> str | None:
    """Return the name of the block that *body* has; None where it has none."""
    return next((name for name in BLOCKS if name in body), None)


def stream_range(body: Fields) -> StreamRange | None:
    """Return where the batch lies; None unless stream, shard and both numbers are there and can be true."""
    block = body.fields(KINESIS if KINESIS in body else DYNAMODB)
    arn, shard = block.text("streamArn"), block.text("shardId")
    first, last = _number(block.text("startSequenceNumber")), _number(block.text("endSequenceNumber"))
    if not (arn and STREAM_ARN.fullmatch(arn) and shard and len(shard) <= _LONGEST_SHARD and first and last):
        return None
    if int(first) > int(last):
        return None
    return StreamRange(
        stream_arn=arn,
        shard_id=shard,
        first=first,
        last=last,
        size=block.number("batchSize"),
        first_arrived_at=block.time("approximateArrivalOfFirstRecord"),
        last_arrived_at=block.time("approximateArrivalOfLastRecord"),
    )


def _number(text: str | None) -> str | None:
    fits = text is not None and text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER
    return text if fits else None
