"""A bad night in a database: two causes, real records, secrets in them. For what reads reports, lists and exports."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Engine

from deadletter.parse import parse_message
from deadletter.store import write
from tests.factories import make_id, make_message, make_parsed, store_some
from tests.rows import NIGHT, make_body

CARD = "4111111111111111"


def store_night(engine: Engine, *, at: datetime = NIGHT) -> None:
    """Store three declined cards (a card's number in each message) and one KeyError, a minute apart from *at* on."""
    declined = [("PaymentError", f"card {CARD} declined for order ord-{number}") for number in (1, 2, 3)]
    bodies = [
        make_body(
            {"order_id": f"ord-{number}", "amount": 18, "password": "hunter2"},
            request_id=make_id(),
            error=error,
            at=at + timedelta(minutes=number),
        )
        for number, error in enumerate((*declined, ("KeyError", "'=cmd|\x1b[31m'")), start=1)
    ]
    messages = [make_message(body) for body in bodies]
    with write(engine) as session:
        store_some(session, *(make_parsed(parse_message(message), message=message) for message in messages))
