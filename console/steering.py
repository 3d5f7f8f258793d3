"""What a redrive's page says of canary, breaker, pauses and hours, and what its forms ask for. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from console.format import number, plural, span
from deadletter.breaker import DEFAULT_CANARY, DEFAULT_MAX_FAILURES, Stage
from deadletter.errors import BadInput
from deadletter.hours import Window, read_moment
from deadletter.manner import Manner, Pace, read_percent
from deadletter.outcome import RedriveStatus
from deadletter.store.redrives.care import closed_until
from deadletter.store.rows import RedriveRow

FIELDS = ("canary", "max_failures", "concurrency", "starts_at", "window")


@dataclass(frozen=True, slots=True)
class Held:
    """Why nothing goes out just now: a heading, sentences, and how bad that is."""

    title: str
    text: str
    tone: str


def held(redrive: RedriveRow, now: datetime) -> Held | None:
    """Return why a redrive sends nothing now; None where it does, or has nothing to send."""
    waits = f"Nothing more is sent; {plural(redrive.waiting, 'event')} {'waits' if redrive.waiting == 1 else 'wait'}."
    since = f" {span((now - redrive.held_at).total_seconds())} ago" if redrive.held_at else ""
    if redrive.status is RedriveStatus.TRIPPED:
        return Held(f"It stopped by itself{since}", f"{redrive.held_reason or ''} {waits}", "bad")
    if redrive.status is RedriveStatus.PAUSED:
        return Held(f"Paused by {redrive.held_by}{since}", waits, "")
    if redrive.status is not RedriveStatus.RUNNING or not redrive.waiting:
        return None
    if opens := closed_until(redrive.starts_at, redrive.window, now):
        return Held(f"Sending begins {opens:%Y-%m-%d %H:%M} UTC, in {_until(opens, now)}", _when(redrive), "info")
    return _awaiting(redrive)


def _awaiting(redrive: RedriveRow) -> Held | None:
    """Return what a step that is all sent waits for."""
    if redrive.waiting > redrive.kept_back or redrive.stage is Stage.FULL:
        return None
    unknown = redrive.sending + redrive.sent
    step = "The canary" if redrive.stage is Stage.CANARY else f"This step of {number(redrive.step)}"
    silence = f" Silence for {span(redrive.settle_s)} counts as success." if redrive.sent else ""
    after = f"{number(redrive.waiting)} are kept back until then."
    return Held(f"{step} is out: {plural(unknown, 'outcome')} awaited", f"{after}{silence}", "info")


def _when(redrive: RedriveRow) -> str:
    hours = f" It sends within {redrive.window} of every day." if redrive.window else ""
    return f"{plural(redrive.waiting, 'event')} will go then.{hours} You can close this page."


def _until(moment: datetime, now: datetime) -> str:
    return span((moment - now).total_seconds())


def manner_words(redrive: RedriveRow) -> list[str]:
    """Return how carefully a redrive goes, as sentences."""
    most = redrive.planned if redrive.started_at else redrive.waiting
    first = (
        f"First {plural(min(redrive.canary, most), 'event')}, the canary; then twice as many each time the "
        f"outcomes are known, up to {number(redrive.rate)} a second."
        if redrive.canary
        else f"No canary: {number(redrive.rate)} a second from the first event on."
    )
    trips = (
        f"It stops by itself when more than {redrive.max_failures:.0%} of the last outcomes are not successes, or when "
        "the same cause comes back."
        if redrive.max_failures < 1
        else "It never stops by itself for failures."
    )
    return [first, trips]


def read_manner(form: Mapping[str, str], *, now: datetime) -> Manner:
    """Return what a plan's form asks for; fields that it does not have, or leaves empty, take the default.

    Raises:
        BadInput: One of them cannot be; the message says what can.
    """
    percent, window, starts_at = (form.get(name, "").strip() for name in ("max_failures", "window", "starts_at"))
    canary = _whole(form, "canary", "canary")
    return Manner(
        canary=DEFAULT_CANARY if canary is None else canary,
        max_failures=read_percent(percent) if percent else DEFAULT_MAX_FAILURES,
        concurrency=_whole(form, "concurrency", "number in flight"),
        starts_at=read_moment(starts_at, now=now) if starts_at else None,
        window=Window.parse(window) if window else None,
    )


def read_pace(form: Mapping[str, str]) -> Pace:
    """Return the pace that the form of a running redrive asks for. Raises BadInput."""
    text = form.get("rate", "").strip()
    try:
        rate = float(text)
    except ValueError:
        raise BadInput(f"The rate is {text!r}, and must be a number of events per second, such as 20.") from None
    return Pace(rate, _whole(form, "concurrency", "number in flight"))


def fields_of(redrive: RedriveRow) -> dict[str, str]:
    """Return the fields of a plan's form, as the redrive has them."""
    return {
        "canary": str(redrive.canary),
        "max_failures": f"{redrive.max_failures * 100:g}",
        "concurrency": "" if redrive.concurrency is None else str(redrive.concurrency),
        "starts_at": f"{redrive.starts_at:%Y-%m-%dT%H:%M}" if redrive.starts_at else "",
        "window": redrive.window or "",
    }


def _whole(form: Mapping[str, str], name: str, what: str) -> int | None:
    text = form.get(name, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):  # noqa: PLR2004 - far beyond any limit
        raise BadInput(f"The {what} is {text[:40]!r}, and must be a whole number.")
    return int(text)
