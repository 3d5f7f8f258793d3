"""A payload as a person edits it: indented, its secrets behind numbered masks; and back again, secrets whole. Pure."""

from __future__ import annotations

import json

from deadletter.editing import exact
from deadletter.errors import BadInput
from deadletter.event import Json
from deadletter.redact import redact_json, redact_text
from deadletter.secret_rules import MASK, NO_RULES, SecretRules

_UNREADABLE = (ValueError, TypeError, RecursionError)


def editable(text: str, secrets: SecretRules = NO_RULES) -> str:
    """Return the payload *text* fit to be edited; `read_edited` takes it back.

    Each masked value has a number of its own (`••••••#3`), so that it can be left, moved or replaced. *secrets* name
    secret keys beside the usual ones.

    Raises:
        BadInput: It is no JSON and holds a secret, which no mask in mere text could bring back.
    """
    try:
        value = exact.load(text)
        return exact.dump(_numbered(value, redact_json(value, secrets), {}), indent=2)
    except _UNREADABLE:
        if redact_text(text, secrets) != text:
            raise BadInput(
                "Its payload is not JSON and holds a secret, so it cannot be edited here: the mask would be sent. "
                "Send it as it is, or send the event yourself."
            ) from None
        return text


def read_edited(edited: str, original: str, secrets: SecretRules = NO_RULES) -> str:
    """Return what is to be sent: *edited* with the secrets of *original* where its masks stand.

    Text without masks comes back exactly as it was written. What was no JSON may be any text.

    Raises:
        BadInput: It is no JSON (the message says line and column), or holds a mask that stands for nothing.
    """
    try:
        known = exact.load(original)
    except _UNREADABLE:
        return _checked_text(edited)
    value = _load(edited)
    if MASK not in json.dumps(value, ensure_ascii=False):
        return edited
    held: dict[str, Json] = {}
    _numbered(known, redact_json(known, secrets), held)
    return exact.dump(_restored(value, held, "$"))


def _load(text: str) -> Json:
    try:
        return exact.load(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise BadInput(f"This is not JSON at {place}: {error.msg}. Mend it there; nothing was planned.") from error
    except (ValueError, RecursionError) as error:
        raise BadInput(f"This is JSON that cannot be sent: {str(error) or 'it is nested too deep'}.") from error


def _checked_text(text: str) -> str:
    if MASK in text:
        raise BadInput(f"The text holds a mask ({MASK}), which would be sent as it stands. Take it out.")
    return text


def _numbered(value: Json, masked: Json, found: dict[str, Json]) -> Json:
    """Return *masked* with its masks numbered, and note in *found* what each masked value stands for."""
    if isinstance(masked, dict):
        return {name: _numbered(value[name], part, found) for name, part in masked.items()}
    if isinstance(masked, list):
        return [_numbered(each, part, found) for each, part in zip(value, masked, strict=True)]
    if not (isinstance(masked, str) and MASK in masked):
        return masked
    placeholder = masked.replace(MASK, f"{MASK}#{len(found) + 1}")
    found[placeholder] = value
    return placeholder


def _restored(value: Json, held: dict[str, Json], place: str) -> Json:
    if isinstance(value, dict):
        return {name: _restored(part, held, f"{place}.{name}") for name, part in value.items()}
    if isinstance(value, list):
        return [_restored(part, held, f"{place}[{index}]") for index, part in enumerate(value)]
    if not (isinstance(value, str) and MASK in value):
        return value
    if value not in held:
        raise BadInput(
            f"At {place[:200]} stands a mask that is none of the original's, and it would be sent as it stands. "
            "Leave a masked value exactly as it was, number and all, or write the whole new value."
        )
    return held[value]
