"""What an entry of the audit trail says besides who, what and when, on one line for people. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from console.format import plural, utc
from deadletter.redact import redact_text
from deadletter.secret_rules import SecretRules

_SHOWN = 5
_DIGEST_CHARS = 12
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")
_SPEAK_FOR_THEMSELVES = frozenset({"arn", "found", "reason", "target", "text", "title", "why"})


def said(details: Mapping[str, object], secrets: SecretRules) -> str:
    """Return an entry's details on one line: ``50 events, filter group=4``; what is not set is left out.

    The export and `redrive audit --json` have them whole.
    """
    shown = {name: value for name, value in details.items() if value not in (None, "", False)}
    if "text" in shown:
        shown.pop("note", None)  # the number of a note tells nothing beside its words
    return redact_text(", ".join(_part(name, value) for name, value in shown.items()), secrets)


def _part(name: str, value: object) -> str:
    words, unit = name.removesuffix("_s").replace("_", " "), " s" if name.endswith("_s") else ""
    if value is True:
        return words
    if name == "count" and isinstance(value, int):
        return plural(value, "event")
    text = str(value)[:_DIGEST_CHARS] if name == "digest" else _value(value)
    return text if name in _SPEAK_FOR_THEMSELVES else f"{words} {text}{unit}"


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return "(" + ", ".join(_part(name, part) for name, part in value.items() if part is not None) + ")"
    if isinstance(value, list):
        shown = ", ".join(str(one) for one in value[:_SHOWN])
        return shown + (f" and {len(value) - _SHOWN} more" if len(value) > _SHOWN else "")
    return _moment(value) if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else str(value)


def _moment(text: str) -> str:
    """Return a time as the pages say it, and any other text as it is."""
    if not _TIME.match(text):
        return text
    try:
        return utc(datetime.fromisoformat(text).astimezone(UTC))
    except (ValueError, OverflowError):
        return text
