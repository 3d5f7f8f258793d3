"""The hours in which a redrive may send: a window of every day, in a time zone that is said. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from deadletter.errors import BadInput

_TEXT = re.compile(r"\s*(\d{1,2}:\d{2})\s*(?:-|–|to)\s*(\d{1,2}:\d{2})(?:\s+(\S+))?\s*")  # noqa: RUF001 - people type it
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})")
_UTC = "UTC"


@dataclass(frozen=True, slots=True)
class Window:
    """From `opens` to `closes` of every day in `zone` (IANA's name); over midnight where it closes before it opens."""

    opens: time
    closes: time
    zone: str = _UTC

    @classmethod
    def parse(cls, text: str) -> Window:
        """Read ``22:00-06:00``, which is UTC, or ``22:00-06:00 Europe/Berlin``; the inverse of `str`.

        Raises:
            BadInput: It is not a window, its ends are one moment, or the zone is not known here.
        """
        found = _TEXT.fullmatch(text)
        opens, closes = (found and read_clock(found[1]), found and read_clock(found[2]))
        if not found or opens is None or closes is None or opens == closes:
            raise BadInput(f"{text[:80]!r} is not a daily window. Write 22:00-06:00, or 22:00-06:00 Europe/Berlin.")
        _zone(found[3] or _UTC)
        return cls(opens, closes, found[3] or _UTC)

    def __str__(self) -> str:
        return f"{self.opens:%H:%M}-{self.closes:%H:%M} {self.zone}"

    def next_opening(self, now: datetime) -> datetime | None:
        """Return when the window opens next, in UTC; None while it is open."""
        local = now.astimezone(_zone(self.zone))
        if self._holds(local.time()):
            return None
        today = self._opening(local.date())
        return today if today > now else self._opening(local.date() + timedelta(days=1))

    def _holds(self, at: time) -> bool:
        if self.opens < self.closes:
            return self.opens <= at < self.closes
        return at >= self.opens or at < self.closes

    def _opening(self, day: date) -> datetime:
        return datetime.combine(day, self.opens, _zone(self.zone)).astimezone(UTC)


def read_clock(text: str) -> time | None:
    """Return the time of day that ``HH:MM`` says; None where it says none."""
    found = _CLOCK.fullmatch(text.strip())
    if not found or int(found[1]) > 23 or int(found[2]) > 59:  # noqa: PLR2004 - hours and minutes
        return None
    return time(int(found[1]), int(found[2]))


def read_moment(text: str, *, now: datetime) -> datetime:
    """Return the moment to start at: ISO 8601 (UTC unless it says otherwise), or ``HH:MM``, the next one in UTC.

    Raises:
        BadInput: It is neither, or it is past.
    """
    clock = read_clock(text)
    try:
        said = _next(clock, now) if clock else datetime.fromisoformat(text.strip())
        moment = said.astimezone(UTC) if said.tzinfo else said.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # an offset can push the last year out of the calendar
        raise BadInput(f"{text[:80]!r} is not a time. Write 2026-11-24T02:00 or 02:00, both UTC.") from None
    if moment <= now:
        raise BadInput(f"{moment:%Y-%m-%d %H:%M} UTC is past. Name a later time, or leave it out to start at once.")
    return moment


def _next(clock: time, now: datetime) -> datetime:
    today = datetime.combine(now.astimezone(UTC).date(), clock, UTC)
    return today if today > now else today + timedelta(days=1)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (OSError, ValueError):  # ZoneInfoNotFoundError is a KeyError, and a folder's name an OSError
        raise BadInput(f"{name[:40]!r} is not a time zone. Write it as IANA does, such as Europe/Berlin.") from None
    except KeyError:
        raise BadInput(f"The time zone {name[:40]!r} is not known here. Write one such as Europe/Berlin.") from None
