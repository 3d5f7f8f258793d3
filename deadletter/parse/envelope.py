"""SNS and EventBridge put a record into an envelope of their own. Take it out, one envelope at a time."""

from __future__ import annotations

from collections.abc import Iterator

from deadletter.parse.record import Fields, Record

_MOST_ENVELOPES = 3


def opened(record: Record) -> Iterator[Record]:
    """Yield *record*, then what is in its envelope, then what is in that one's."""
    inner: Record | None = record
    for _ in range(_MOST_ENVELOPES):
        if inner is None:
            return
        yield inner
        inner = _from_sns(inner) or _from_eventbridge(inner)


def is_notification(body: Fields) -> bool:
    """Whether *body* is what SNS writes to a queue without raw delivery."""
    return body.text("Type") == "Notification" and body.text("TopicArn") is not None


def _from_sns(record: Record) -> Record | None:
    """Return the message of an SNS notification. Its attributes are ``{"Type", "Value"}``, unlike SQS's own."""
    message = record.body.exact("Message") if is_notification(record.body) else None
    if message is None:
        return None
    sent = record.body.fields("MessageAttributes")
    attributes = {name: sent.fields(name).exact("Value") for name in sent}
    return Record(
        text=message,
        attributes={name: value for name, value in attributes.items() if value is not None},
        system=record.system,
        arrived_at=record.arrived_at or record.body.time("Timestamp"),
    )


def _from_eventbridge(record: Record) -> Record | None:
    """Return the detail of the event that Lambda puts on a bus (documented with an en dash, sent with a hyphen)."""
    body = record.body
    detail = body.raw("detail")
    kind = body.text("detail-type") or ""
    if detail is None or body.text("source") != "lambda" or not kind.startswith("Lambda Function Invocation Result"):
        return None
    return Record(text=detail, system=record.system, arrived_at=record.arrived_at or body.time("time"))
