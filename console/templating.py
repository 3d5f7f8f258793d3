"""What templates may call: the formatting of `format`, the charts, and what the base page needs. Registered once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, url_for
from markupsafe import Markup

from console import charts, context, discovered, edits, life, navigation, progress
from console import format as fmt
from console.forms import STANDINGS
from console.manner import manner_of
from console.sign_in.rules import RULES
from console.sign_in.scope import may_target
from deadletter.access import Permission, Verdict
from deadletter.event import name_of
from deadletter.outcome import EventStatus
from deadletter.redact import redact_json, redact_text
from deadletter.secret_rules import MASK, SecretRules
from deadletter.settings import Settings
from deadletter.store.rows import ItemRow, SourceRow

SOON = timedelta(hours=24)
"""What expires within this time is said as a warning."""

STALE = timedelta(days=7)
"""An account changes: what was read longer ago is said as a warning."""

FILTERS: Mapping[str, Callable[..., object]] = {
    "number": fmt.number,
    "counted": fmt.counted,
    "plural": fmt.plural,
    "span": fmt.span,
    "utc": fmt.utc,
    "clock": fmt.clock,
    "millis": fmt.millis,
    "size": fmt.size,
    "tone": fmt.tone,
    "words": fmt.words,
    "visible": fmt.visible,
    "masked": fmt.masked,
    "arn_name": name_of,
    "call": fmt.call,
    "manner": manner_of,
    "spark": charts.spark,
    "progress": charts.progress,
    "legend": progress.legend,
    "thing_name": discovered.thing_name,
    "by_producer": discovered.by_producer,
    "gap_words": discovered.GAP_WORDS.__getitem__,
    "moment": edits.moment,
    "protection": edits.protection,
    "protections": edits.protections,
}


def register(app: Flask, settings: Settings) -> None:
    """Give the templates of *app* their filters and globals."""
    secrets = settings.secrets
    app.jinja_env.filters.update(FILTERS)
    app.jinja_env.filters.update(
        ago=_ago,
        age=_age,
        soon=_soon,
        ahead=_ahead,
        stale=_stale,
        error_of=error_of,
        failure_of=failure_of,
        breakable=breakable,
    )
    app.jinja_env.filters.update(named=partial(named, secrets=secrets), growth=growth, host=_host)
    app.jinja_env.filters.update(redacted=partial(redacted, secrets=secrets), secret=partial(secret, secrets=secrets))
    app.jinja_env.globals.update(
        settings=settings, bar=navigation.bar, menu=navigation.menu, everywhere=navigation.EVERYWHERE
    )
    app.jinja_env.globals.update(statuses=tuple(EventStatus), this_hour=this_hour)
    app.jinja_env.globals.update(subject_link=subject_link, standings=STANDINGS)
    app.jinja_env.globals.update(asking=context.principal_or_none, barred=barred, may=context.may, can=Permission)


def redacted(text: str, secrets: SecretRules) -> str:
    """Return *text* as it may be shown: secrets masked, and what moves the cursor or turns direction named."""
    return fmt.visible(redact_text(text, secrets))


def secret(value: str, name: str, secrets: SecretRules) -> str:
    """Return an attribute's *value* as it may be shown: masked as a whole where its *name* says that it is a secret."""
    return MASK if redact_json({name: "x"}, secrets) != {name: "x"} else redacted(value, secrets)


def error_of(item: ItemRow) -> str:
    """Return ``Type: message`` of what an event failed with again."""
    return life.joined(item.error_type, item.error_message) or ""


def breakable(arn: str) -> Markup:
    """Return an ARN whose lines break behind `:` and `/` first, and within a name only where it is too wide.

    A browser breaks at hyphens else, which names are full of. What is copied is the ARN as it is.
    """
    parts = re.findall(r"[^:/]*[:/]|[^:/]+", fmt.visible(arn))
    return Markup().join(Markup('<span class="part">{}</span>').format(part) for part in parts)


def failure_of(item: ItemRow) -> str:
    """Return ``Type: message`` of what an event failed with last, whatever a redrive made of it."""
    return life.joined(item.failed_type, item.failed_message) or ""


def named(pairs: Iterable[tuple[str, int]], secrets: SecretRules) -> list[tuple[str, str]]:
    """Return facets as a select's options, the value and the value with its count; none whose value holds a secret."""
    return [(name, f"{name} ({n:,})" if n else name) for name, n in pairs if redact_text(name, secrets) == name]


def growth(source: SourceRow) -> str:
    """Return what the hour before this one had: ``44 the hour before``."""
    return f"{source.growth_hour_before:,} the hour before"


def _ago(moment: datetime) -> str:
    return fmt.ago(moment, context.now())


def _age(moment: datetime) -> str:
    return fmt.span((context.now() - moment).total_seconds())


def this_hour() -> str:
    """Return when this hour began, as a filter says it."""
    return context.now().replace(minute=0, second=0, microsecond=0).isoformat()


_PAGES = {
    "redrive": ("redrives.show", "redrive_id"),
    "group": ("groups.show", "group_id"),
    "event": ("events.show", "event_id"),
}


def subject_link(kind: str, subject: str) -> str | None:
    """Return the address of what an audit entry is about; None where it has no page of its own."""
    if kind == "source" and subject.isdecimal():
        return url_for("sources.index", _anchor=f"source-{subject}")
    if kind not in _PAGES or not (subject.isascii() and subject.isdecimal() and len(subject) <= 18):  # noqa: PLR2004 - an id
        return None
    endpoint, name = _PAGES[kind]
    number: dict[str, Any] = {name: int(subject)}
    return url_for(endpoint, **number)


def barred(endpoint: str, source_arn: str | None = None, *, target: str | None = None) -> Markup:
    """Return what disables a button of a form to *endpoint*, with the reason, where the asking person may not use it.

    Where the form is about one source, or about one target, it is for that one.

    Disabled and not hidden: who sees what there is can ask for it.
    """
    needed = RULES[endpoint]
    verdict = Verdict(allowed=True) if needed is None else context.may(needed, source_arn)
    if verdict and target:
        verdict = may_target(target)
    return Markup() if verdict else Markup(' disabled data-barred title="{}"').format(verdict.reason)


def _host(address: str) -> str:
    return urlsplit(address).hostname or address


def _ahead(moment: datetime) -> bool:
    return moment > context.now()


def _stale(moment: datetime) -> bool:
    return context.now() - moment > STALE


def _soon(moment: datetime) -> bool:
    return moment - context.now() < SOON
