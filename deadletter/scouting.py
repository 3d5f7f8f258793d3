"""Discovering: read every account's listings in the background, keep what was read, register where failures land."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from deadletter.actor import Actor
from deadletter.aws.discovery import Scan, scan_account
from deadletter.discovery import AccountMap, map_account
from deadletter.discovery.account import Account, together
from deadletter.discovery.places import Place
from deadletter.discovery.saved import from_json, to_json
from deadletter.discovery.targets import targets_of
from deadletter.errors import BadInput, RedriveError, SourceError
from deadletter.event import TargetRef
from deadletter.ports import Clock
from deadletter.settings import Settings
from deadletter.store import read, write
from deadletter.store.allowed import keep_targets
from deadletter.store.discoveries import (
    DiscoveryRow,
    add_finished,
    ask_discovery,
    finish_discovery,
    hand_back,
    keep_scans,
    latest_discovery,
    note_progress,
    take_discovery,
)
from deadletter.store.senders import set_senders
from deadletter.store.sources import add_source, list_sources

log = logging.getLogger(__name__)

NOTE_EVERY = timedelta(seconds=1)

REFRESH_AFTER = timedelta(days=1)
"""How old a map may be where something refreshes it: what is new may be redriven to from then on, what is gone not."""

ScanAccount = Callable[..., Scan]


@dataclass(frozen=True, slots=True)
class Reach:
    """An account and Region to read; empty: those that boto3 finds."""

    account: str = ""
    region: str = ""

    @property
    def words(self) -> str:
        """Which it is, for people."""
        return " in ".join(filter(None, (f"account {self.account}" if self.account else "", self.region))) or "ours"


class Interrupted(Exception):
    """The worker ends, or the discovery is another's now."""


def reaches(settings: Settings, region: str = "") -> Sequence[Reach]:
    """Return what there is to read: our own account, and each that has a role, in each of its Regions."""
    others = [Reach(role.account, each) for role in settings.roles for each in role.regions or (region,)]
    return [Reach("", region), *others]


Found = Sequence[tuple[Reach, Scan]]


def scan_all(settings: Settings, region: str = "", *, scan: ScanAccount = scan_account) -> Found:
    """Read everything now, one account and Region after the other: for whoever waits for it.

    Raises:
        SourceError: Our own account cannot be read. Of another that cannot, `refused` says so.
    """
    return [(reach, _scan(reach, scan)) for reach in reaches(settings, region)]


def as_one(found: Found) -> Scan:
    """Return all that was read as one."""
    scans = [scan for _, scan in found]
    return Scan(
        together(each.account for each in scans),
        tuple(sentence for each in scans for sentence in each.refused),
        sum(each.calls for each in scans),
        sum(each.seconds for each in scans),
    )


def keep_found(engine: Engine, found: Found, *, by: Actor, now: datetime) -> None:
    """Keep what was read as a discovery that finished: the page shows it, and its targets may be sent to."""
    scans = [_saved(reach, scan) for reach, scan in found]
    with write(engine) as session:
        add_finished(session, scans, by=by, now=now)
    keep_scanned(engine, scans)


@dataclass
class Scout:
    """Carries out discoveries that were asked for, as one of maybe many workers."""

    engine: Engine
    settings: Settings
    worker: str
    clock: Clock
    stopping: Callable[[], bool]
    scan: ScanAccount = scan_account
    _noted: datetime | None = field(default=None, init=False)

    def turn(self) -> bool:
        """Carry out one discovery, if one waits; return whether one did."""
        with write(self.engine) as session:
            taken = take_discovery(session, worker=self.worker, now=self.clock.now(), lease_s=self.settings.lease_s)
        if taken is None:
            return False
        try:
            self._read(taken)
        except Interrupted:
            self._end(hand_back, taken.id)
        except RedriveError as error:
            self._end(finish_discovery, taken.id, now=self.clock.now(), error=str(error))
        return True

    def _read(self, taken: DiscoveryRow) -> None:
        """Read what was not read before a restart; keep each account and Region when it is done."""
        scans = [*taken.scans]
        done = {(scan["account"], scan["region"]) for scan in scans}
        for reach in reaches(self.settings):
            if (reach.account, reach.region) not in done:
                before = sum(scan["calls"] for scan in scans)
                found = _scan(reach, self.scan, self._teller(taken.id, reach, before))
                scans.append(_saved(reach, found))
                self._end(keep_scans, taken.id, scans)
        calls = sum(scan["calls"] for scan in scans)
        self._note(taken.id, "", calls)
        self._end(finish_discovery, taken.id, now=self.clock.now(), error=None)
        keep_scanned(self.engine, scans)
        log.info("an account was discovered", extra={"discovery": taken.id, "calls": calls})

    def _teller(self, discovery_id: int, reach: Reach, before: int) -> Callable[[str, int], None]:
        def tell(action: str, calls: int) -> None:
            if self.stopping():
                raise Interrupted
            if self._noted is None or self.clock.now() - self._noted >= NOTE_EVERY:
                self._note(discovery_id, f"{action} ({reach.words})" if reach != Reach() else action, before + calls)

        return tell

    def _note(self, discovery_id: int, doing: str, calls: int) -> None:
        self._noted = self.clock.now()
        with write(self.engine) as session:
            held = note_progress(session, discovery_id, self.worker, calls=calls, doing=doing, now=self._noted)
        if not held:
            raise Interrupted

    def _end(self, do: Callable[..., None], discovery_id: int, *args: object, **given: object) -> None:
        with write(self.engine) as session:
            do(session, discovery_id, self.worker, *args, **given)


def keep_scanned(engine: Engine, scans: Iterable[Mapping[str, Any]]) -> None:
    """Keep which targets were seen, for the list of those that may be sent to; of an account that was, at last."""
    with write(engine) as session:
        for scan in scans:
            if any(scan["facts"].values()) or not scan["refused"]:
                keep_targets(session, f"{scan['account']}/{scan['region']}", targets_of(from_json(scan["facts"])))


def refresh(engine: Engine, *, by: Actor, now: datetime) -> bool:
    """Ask for a discovery where the newest one is a day old; return whether it is asked for. Nobody's first one is."""
    with read(engine) as session:
        newest = latest_discovery(session)
    if newest is None or newest.open or now - newest.asked_at < REFRESH_AFTER:
        return False
    with write(engine) as session:
        ask_discovery(session, by=by, now=now)
    return True


def draw(session: Session, scans: Sequence[dict[str, Any]], *, now: datetime) -> AccountMap:
    """Draw the map of what was read, over the sources as they are registered now."""
    account: Account = together(from_json(scan["facts"]) for scan in scans)
    return map_account(account, {source.arn for source in list_sources(session, now=now)})


def draw_with(engine: Engine, account: Account, *, now: datetime) -> AccountMap:
    """Draw the map of *account* over the sources as they are registered now."""
    with read(engine) as session:
        registered = {source.arn for source in list_sources(session, now=now)}
    return map_account(account, registered)


def register_clear(engine: Engine, places: Iterable[Place], *, by: Actor, now: datetime) -> Sequence[Place]:
    """Add the places that need no question as sources; return them."""
    clear = [place for place in places if place.registrable]
    with write(engine) as session:
        for place in clear:
            add_source(session, place.source_arn, target=place.target, by=by, now=now)
    return clear


def register(engine: Engine, place: Place, target: TargetRef | None, *, by: Actor, now: datetime) -> int:
    """Add one place as a source, with the target that was chosen for it, else with what the map says of its messages.

    Returns:
        How many events collected before got their function by this.

    Raises:
        BadInput: Its messages do not say which consumer failed, neither does a role id, and nobody chose one.
    """
    chosen = target or place.target
    if chosen is None and place.ambiguous and not place.senders:
        raise BadInput(f"Say where the events of {place.name} go: {place.why}")
    with write(engine) as session:
        source = add_source(session, place.source_arn, target=chosen, by=by, now=now)
        return set_senders(session, source.id, {} if target else place.senders)


def _scan(reach: Reach, scan: ScanAccount, tell: Callable[[str, int], None] | None = None) -> Scan:
    given = {"account": reach.account} | ({"tell": tell} if tell else {})
    try:
        return scan(reach.region, **given)
    except SourceError as error:
        if not reach.account:
            raise
        return Scan(Account(), (str(error),), 0, 0.0)


def _saved(reach: Reach, found: Scan) -> dict[str, Any]:
    return {
        "account": reach.account,
        "region": reach.region,
        "facts": to_json(found.account),
        "refused": list(found.refused),
        "calls": found.calls,
        "seconds": round(found.seconds, 3),
    }
