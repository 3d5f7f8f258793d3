"""The form of a target's idempotency settings: read, checked and filled. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields

from deadletter.errors import BadInput
from deadletter.preflight import Names, Rules

TEXTS = ("table", "prefix", "key_path", "data_path", "validation_path", "hash_function")
NAMES = tuple(field.name for field in fields(Names))
EMPTY: Mapping[str, str] = {
    "arn": "", "expires_s": "3600", **dict.fromkeys(TEXTS, ""), "hash_function": "md5", **dict.fromkeys(NAMES, ""),
}  # fmt: skip


def read_rules(form: Mapping[str, str]) -> Rules:
    """Return the settings that a form holds; what is left empty has Powertools' default. Raises BadInput."""
    given = {name: form.get(name, "").strip() for name in (*TEXTS, *NAMES)}
    names = Names(**{name: given[name] for name in NAMES if given[name]})
    texts = {name: given[name] for name in TEXTS if given[name]}
    return Rules(**{"table": "", "prefix": ""} | texts, names=names, expires_s=_seconds(form.get("expires_s", "")))


def fill(arn: str, rules: Rules) -> dict[str, str]:
    """Return a form's fields as *rules* have them."""
    defaults = asdict(Names())
    names = {name: value or "" for name, value in asdict(rules.names).items() if value != defaults[name]}
    texts = {name: getattr(rules, name) for name in TEXTS}
    return dict(EMPTY) | texts | names | {"arn": arn, "expires_s": str(rules.expires_s)}


def _seconds(text: str) -> int:
    text = text.strip().replace(",", "") or "3600"
    if not (text.isascii() and text.isdecimal() and len(text) < 12):  # noqa: PLR2004 - more than a lifetime
        raise BadInput(f"A record's life is {text[:20]!r}, and must be a whole number of seconds, such as 3600.")
    return int(text)
