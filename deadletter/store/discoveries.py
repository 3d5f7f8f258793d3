"""Discoveries: asked for by people, read by a worker, kept with their result. One at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import and_, delete, or_, select, update
from sqlalchemy.orm import Session

from deadletter.actor import Actor
from deadletter.store.audit import note
from deadletter.store.models import Discovery
from deadletter.store.rowset import table_of
from deadletter.store.text import MAX_MESSAGE, kept

MOST_ATTEMPTS = 3
"""How many workers may die over one discovery before it is given up."""

_KEPT = 5


class DiscoveryStatus(StrEnum):
    """Where a discovery stands."""

    ASKED = "asked"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"


_OPEN = (DiscoveryStatus.ASKED, DiscoveryStatus.RUNNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryRow:
    """A discovery, as its page and the worker see it."""

    id: int
    status: DiscoveryStatus
    asked_by: str
    asked_at: datetime
    worker: str | None
    seen_at: datetime | None
    finished_at: datetime | None
    calls: int
    doing: str
    scans: Sequence[dict[str, Any]]
    error: str | None

    @property
    def open(self) -> bool:
        """Whether it still runs or waits."""
        return self.status in _OPEN


def ask_discovery(session: Session, *, by: Actor, now: datetime) -> int:
    """Ask for a discovery; return its id. One that is open already is the one that is meant."""
    open_id = session.scalar(select(Discovery.id).where(Discovery.status.in_(_OPEN)).order_by(Discovery.id))
    if open_id is not None:
        return open_id
    asked = Discovery(status=DiscoveryStatus.ASKED, asked_by=by.name, asked_at=now, scans=[])
    session.add(asked)
    session.flush()
    note(session, by, "ask", "discovery", asked.id, now=now)
    _forget_old(session)
    return asked.id


def add_finished(session: Session, scans: Sequence[dict[str, Any]], *, by: Actor, now: datetime) -> None:
    """Keep what was read by somebody who waited for it, as a discovery of its own."""
    calls = sum(scan["calls"] for scan in scans)
    facts = {"status": DiscoveryStatus.FINISHED, "asked_by": by.name, "asked_at": now, "finished_at": now}
    done = Discovery(**facts, scans=list(scans), calls=calls)
    session.add(done)
    session.flush()
    note(session, by, "ask", "discovery", done.id, now=now)
    _forget_old(session)


def take_discovery(session: Session, *, worker: str, now: datetime, lease_s: float) -> DiscoveryRow | None:
    """Take the open discovery for *worker*: one that waits, or whose worker has been silent for *lease_s* seconds.

    One over which several workers died is given up.
    """
    silent = or_(Discovery.seen_at.is_(None), Discovery.seen_at < now - timedelta(seconds=lease_s))
    free = or_(Discovery.status == DiscoveryStatus.ASKED, and_(Discovery.status == DiscoveryStatus.RUNNING, silent))
    given_up = "Each worker that began it ended before it was done. See the workers' logs, and start it again."
    spent = update(Discovery).where(free, Discovery.attempts >= MOST_ATTEMPTS)
    _do(session, spent.values(status=DiscoveryStatus.FAILED, finished_at=now, error=given_up))
    mine = {"status": DiscoveryStatus.RUNNING, "worker": worker, "seen_at": now, "attempts": Discovery.attempts + 1}
    taken = session.scalar(_quiet(update(Discovery).where(free).values(mine).returning(Discovery.id)))
    return None if taken is None else _row(session.get(Discovery, taken, populate_existing=True))


def note_progress(  # noqa: PLR0913 - which, whose, and the facts, each by its name
    session: Session, discovery_id: int, worker: str, *, calls: int, doing: str, now: datetime
) -> bool:
    """Say how far it is; return whether it is still this worker's."""
    held = _held(discovery_id, worker).values(calls=calls, doing=doing, seen_at=now).returning(Discovery.id)
    return session.scalar(_quiet(held)) is not None


def keep_scans(session: Session, discovery_id: int, worker: str, scans: Sequence[dict[str, Any]]) -> None:
    """Keep what was read so far: another worker goes on from here."""
    _do(session, _held(discovery_id, worker).values(scans=list(scans)))


def finish_discovery(session: Session, discovery_id: int, worker: str, *, now: datetime, error: str | None) -> None:
    """End it, well or with an *error*."""
    status = DiscoveryStatus.FAILED if error else DiscoveryStatus.FINISHED
    said = kept(error, MAX_MESSAGE) if error else None
    _do(session, _held(discovery_id, worker).values(status=status, finished_at=now, error=said, doing=""))


def hand_back(session: Session, discovery_id: int, worker: str) -> None:
    """Let another worker go on with it: this one ends."""
    again = {"status": DiscoveryStatus.ASKED, "worker": None, "attempts": Discovery.attempts - 1}
    _do(session, _held(discovery_id, worker).values(again))


def latest_discovery(session: Session, *, finished: bool = False) -> DiscoveryRow | None:
    """Return the newest discovery, or the newest that finished; None where there is none."""
    query = select(Discovery).order_by(Discovery.id.desc()).limit(1)
    found = session.scalar(query.where(Discovery.status == DiscoveryStatus.FINISHED) if finished else query)
    return _row(found) if found else None


def _held(discovery_id: int, worker: str) -> Any:  # noqa: ANN401 - SQLAlchemy's Update has no type of its own here
    return update(Discovery).where(
        Discovery.id == discovery_id, Discovery.worker == worker, Discovery.status == DiscoveryStatus.RUNNING
    )


def _do(session: Session, statement: Any) -> None:  # noqa: ANN401 - see _held
    session.execute(_quiet(statement))


def _quiet(statement: Any) -> Any:  # noqa: ANN401 - see _held
    return statement.execution_options(synchronize_session=False)


def _forget_old(session: Session) -> None:
    newest = list(session.scalars(select(Discovery.id).order_by(Discovery.id.desc()).limit(_KEPT)))
    good = session.scalar(
        select(Discovery.id).where(Discovery.status == DiscoveryStatus.FINISHED).order_by(Discovery.id.desc()).limit(1)
    )
    _do(session, delete(table_of(Discovery)).where(table_of(Discovery).c.id.not_in([*newest, good or 0])))


def _row(found: Discovery | None) -> DiscoveryRow | None:
    if found is None:
        return None
    facts = {each.name: getattr(found, each.name) for each in fields(DiscoveryRow)}
    return DiscoveryRow(**facts | {"status": DiscoveryStatus(found.status)})
