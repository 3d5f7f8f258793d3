"""Events that a page has to take: huge, hostile, without a payload, a dead letter, a pointer, what is left and lost."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from deadletter.collect import Taken, store
from deadletter.event import ReceivedMessage
from deadletter.parse import read_entry
from deadletter.ports import SourceState
from deadletter.store import read, write
from deadletter.store.sources import list_sources, note_collected, note_state
from tests.factories import make_id, make_source
from tests.fakes import FakeClock
from tests.rows import make_body
from tests.states.night import Night
from tests.store.test_lookups import FakeLookups
from tests.unit.test_refetch import kinesis_answer, recorded
from worker.fetching import Fetcher

_RECORDED = Path(__file__).parents[1] / "events"
_HUGE = {"orderId": "ord-huge", "lines": [{"sku": f"A-{n}", "qty": n % 7, "note": "x" * 60} for n in range(4000)]}
_HOSTILE = {
    "orderId": "<img src=x onerror=alert(1)>",
    "note": "\u202eevil\u202c</code><script>alert(1)</script>",
    "=cmd|' /C calc'!A0": "{{7*7}}" * 40,
    "long": "W" * 900,
}
_HOSTILE_ERROR = ("<b>Bold</b>Error", "</p><script>alert(1)</script> \u202etxet desrever\u202c " + "longword" * 60)
_SAID = {
    "RequestID": ("String", "5b0d1c62-5f0c-4a3c-9d3e-0a8d2a6f5e11"),
    "ErrorCode": ("Number", "200"),
    "ErrorMessage": ("String", "card declined for order ord-7741: issuer answered 51"),
}
"""What Lambda adds to the event that it puts into a function's dead-letter queue."""


def odd_events(night: Night) -> None:
    """Store them all."""
    _pointer(night)
    night.store("orders-capture-failures", "huge", _message(night, _HUGE, error=("PayloadError", "too large")))
    night.store("orders-capture-failures", "hostile", _message(night, _HOSTILE, error=_HOSTILE_ERROR))
    aged = read_entry((_RECORDED / "async-destination-sqs-event-age.json").read_text())
    night.store("orders-notify-failures", "aged", aged)
    attributes = {name: {"DataType": kind, "StringValue": value} for name, (kind, value) in _SAID.items()}
    letter = ReceivedMessage("m-dlq", '{"orderId": "ord-dlq", "amount": 18.40}', {}, attributes)
    night.store("orders-capture-failures", "dead letter", letter)
    night.store("orders-capture-failures", "no record", ReceivedMessage("m-odd", "Hello? <b>Is this on?</b>"))
    _left(night)


def _message(night: Night, payload: object, **more: Any) -> ReceivedMessage:
    at = night.now - timedelta(minutes=20)
    sent = {"SentTimestamp": str(int(at.timestamp() * 1000)), "ApproximateReceiveCount": "1"}
    return ReceivedMessage(make_id(), make_body(payload, request_id=make_id(), at=at, **more), sent)


def _left(night: Night) -> None:
    """Store what lies in a queue that is only observed: one that expires soon, one that is gone."""
    hour = timedelta(hours=1)
    with write(night.engine) as session:
        source = make_source(session, "orders-fulfil-dlq", mode="observe")
        note_collected(session, source.id, now=night.now, oldest_sent_at=night.now - 90 * hour)
        note_state(session, source.id, SourceState(depth=4, in_flight=0, retention_s=345_600), night.now)
    for name, hours in {"expired": -2.0, "observed": 0.5}.items():
        message = _message(night, {"orderId": f"ord-{name}"})
        night.store("orders-fulfil-dlq", name, message, left=True, expires_at=night.now + hours * hour)


def _pointer(night: Night) -> None:
    """Store a batch of a stream whose first record the stream forgot before it could be fetched."""
    with write(night.engine) as session:
        name = make_source(session, "clicks-failures").name
    with read(night.engine) as session:
        (source,) = (each for each in list_sources(session, now=night.now) if each.name == name)
    message = read_entry((_RECORDED / "kinesis-esm-sqs.json").read_text())
    store(night.engine, [Taken(source, [message])], now=night.now)
    night.name_newest("pointer")
    lookups, clock = FakeLookups([kinesis_answer(recorded("lambda-event-kinesis.json")[1])]), FakeClock(night.now)
    Fetcher(night.engine, open_lookups=lambda: lookups, clock=clock, stopping=lambda: False).turn()
