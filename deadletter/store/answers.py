"""Answers to writes of the API, kept by their `Idempotency-Key`, so that a request that is repeated is done once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from deadletter.errors import BadInput, IllegalMove
from deadletter.store.engine import insert_for
from deadletter.store.models import ApiAnswer
from deadletter.store.rowset import table_of

KEPT = timedelta(hours=24)
"""How long an answer is given again."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it was given: HTTP status, and JSON text."""

    status: int
    body: str


def begin(session: Session, owner: str, key: str, *, digest: str, now: datetime) -> Answer | None:
    """Take *key* for *owner*'s request and return None; return its answer where the same request has one already.

    Forgets what is older than `KEPT`.

    Args:
        session: A session that writes.
        owner: Whose key it is.
        key: What the request calls itself.
        digest: Of what it asks for.
        now: The time now, UTC.

    Raises:
        BadInput: The key was used for another request.
        IllegalMove: The same request is being carried out, or was when its console ended.
    """
    session.execute(delete(ApiAnswer).where(ApiAnswer.began_at <= now - KEPT))
    row = {"owner": owner, "key": key, "digest": digest, "began_at": now}
    adding = insert_for(session)(table_of(ApiAnswer)).values(row).on_conflict_do_nothing()
    if session.execute(adding.returning(table_of(ApiAnswer).c.key)).first():
        return None
    found = session.get(ApiAnswer, (owner, key))
    if found is not None and found.digest != digest:
        raise BadInput(
            f"The Idempotency-Key {key[:40]!r} was used at {found.began_at:%Y-%m-%dT%H:%M:%SZ} for another request. "
            "Give each request a key of its own."
        )
    if found is None or found.status is None or found.body is None:  # None: released just now
        raise IllegalMove(
            f"The request with the Idempotency-Key {key[:40]!r} is under way and has no answer yet. Repeat it in a few "
            "seconds. If it stays so, the console ended meanwhile: look at what is true now before you ask again, with "
            "a new key."
        )
    return Answer(found.status, found.body)


def keep(session: Session, owner: str, key: str, answer: Answer) -> None:
    """Keep the answer to what `begin` took."""
    one = update(ApiAnswer).where(ApiAnswer.owner == owner, ApiAnswer.key == key)
    session.execute(one.values(status=answer.status, body=answer.body))


def release(session: Session, owner: str, key: str) -> None:
    """Let the key be used again: nothing was done."""
    session.execute(delete(ApiAnswer).where(ApiAnswer.owner == owner, ApiAnswer.key == key))
