"""Mask secrets in what is shown and exported; what is stored stays whole. Pure, linear, never recursive in its input.

Two things give a secret away: the key that it stands under, and its own looks (a card's number, a bearer token, an AWS
key, a password in a URL). JSON keeps its structure and every other character, so numbers stay as they were written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import pairwise

from deadletter.event import Json
from deadletter.jsontext import STRING, value_end
from deadletter.secret_rules import MASK, NO_RULES, Masking, SecretRules

_MOST_NESTED = 8
"""JSON within a string within JSON is opened this often; what still looks like JSON then is masked whole."""

_SHORTEST = 5
"""A text with a key, a sign and a value (`pin=1`) has at least so many characters."""

_LAST_WORDS = frozenset(
    {"auth", "card", "cvv", "cvv2", "cvc", "iban", "jwt", "otp", "pan", "passwd", "pin", "pwd", "sid", "ssn"}
)
_INSIDE = re.compile(
    r"passw(?:or)?d|passphrase|passcode|secret|token|authorization|credential|cookie|amzsignature"
    r"|(?:api|access|private|signing|encryption|account|shared|master)key|sessionid"
    r"|card(?:number|num|no)|creditcard|debitcard|securitycode|accountn(?:umber|o)\b"
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_a-zA-Z]+")

_TOKEN = re.compile(
    rf"(?P<key>{STRING})(?=[ \t\n\r]*+:)|(?P<string>{STRING})|(?P<open>[\[{{])|(?P<close>[\]}}])"
    r"|(?P<scalar>[\w.+-]++)|(?P<between>[ \t\n\r:,]++)",
    re.DOTALL,
)
KEY = re.compile(r"(?<![\w.-])([\w.-]++)\\{0,64}[\"']?\s{0,3}[=:]\s{0,3}")
"""A name and the sign after it: what stands in a text before a value, wherever it is no JSON."""

_BARE = re.compile(r"""[^\s"',;&}\])\\]+""")
_VALUE = re.compile(
    r"""(?:Bearer|Basic|Digest|Token)\s+[^\s"',;]+"""
    r"""|"[^"\\]*+(?:\\.[^"\\]*+)*+"?|\\{1,64}"[^"]*+"?|'[^'\\]*+(?:\\.[^'\\]*+)*+'?"""
    rf"|{_BARE.pattern}",
    re.DOTALL | re.IGNORECASE,
)
_LOOKS = re.compile(
    r"(?P<scheme>\b(?:Bearer|Basic)\s+)[\w.~+/-]{6,}=*"
    r"|(?P<link>://[^/\s:@\"']{0,128}:)[^/\s@\"']{1,256}(?=@)"
    r"|(?<![\w-])eyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*){0,3}"
    r"|(?<!\w)(?:AKIA|ASIA)[A-Z0-9]{16}(?!\w)"
    r"|(?<!\w)(?:(?:sk|rk)_(?:live|test)_\w{8,}|gh[pousr]_\w{20,}|xox[abeprs]-[\w-]{10,})"
    r"|-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)",
    re.DOTALL | re.ASCII,
)
_CARD = re.compile(r"(?<![\w.-])[2-6](?:[ -]?\d){12,18}(?![\w-])", re.ASCII)
_ISSUED = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2[2-7]\d{14}|3[47]\d{13}|3[0689]\d{12}|35\d{14}|6[0245]\d{14}"
)


def redact_json(value: Json, rules: SecretRules = NO_RULES) -> Json:
    """Return a copy of a decoded JSON value without its secrets; *rules* say what is secret beside the usual.

    Under a secret key every string, number and boolean becomes `MASK`; objects and lists stay: the structure is seen.
    """
    root: list[Json] = [None]
    masking = Masking(rules)
    todo: list[tuple[Json, Json, Json, bool]] = [(value, root, 0, False)]
    while todo:
        part, into, place, secret = todo.pop()
        if isinstance(part, dict):
            into[place] = dict.fromkeys(part)
            todo += [(each, into[place], key, secret or _is_secret(str(key), masking)) for key, each in part.items()]
        elif isinstance(part, list | tuple):
            into[place] = [None] * len(part)
            todo += [(each, into[place], index, secret) for index, each in enumerate(part)]
        else:
            into[place] = _redact_leaf(part, masking, secret=secret)
    return root[0]


def redact_text(text: str, rules: SecretRules = NO_RULES) -> str:
    """Return *text* without its secrets: JSON by its keys, in strings within it too, all else by what it looks like.

    Nothing but secrets changes: not a space, not a number, not the order of keys. *rules* are as in `redact_json`.
    """
    return _redact(text, Masking(rules), level=0)


def is_secret(key: str, rules: SecretRules = NO_RULES) -> bool:
    """Return whether what stands under *key* is a secret: `api_key`, `apiKey`, `X-Api-Key` are one name."""
    return _is_secret(key, rules)


def _is_secret(key: str, rules: SecretRules | Masking) -> bool:
    return _is_usual_secret(key) or rules.is_secret(key)


@lru_cache(maxsize=4096)
def _is_usual_secret(key: str) -> bool:
    words = [word.lower() for word in _WORD.findall(key[-200:])]
    return bool(words) and (
        words[-1] in _LAST_WORDS or "".join(words[-2:]) == "cvv2" or bool(_INSIDE.search("".join(words)))
    )


def _redact_leaf(value: Json, rules: Masking, *, secret: bool) -> Json:
    if value is None:
        return None
    if secret or (isinstance(value, int) and _is_card(str(value)[:20])):
        return MASK
    if isinstance(value, str):
        return _redact(value, rules, level=1)
    return MASK if not isinstance(value, bool) and _is_own(repr(value), rules) else value


def _is_own(number: str, rules: Masking) -> bool:
    """Return whether the house's own patterns find something in a number, which is masked as a whole then."""
    return rules.cut(number) != number


def _redact(text: str, rules: Masking, *, level: int) -> str:
    if len(text) < _SHORTEST:
        return rules.cut(text)
    if text[:1] in {"{", "["} or (level == 0 and text.lstrip()[:1] in {"{", "[", '"'}):
        if level > _MOST_NESTED:
            return MASK
        redacted = _JsonText(rules, level).redact(text)
        if redacted is not None:
            return redacted
    return rules.cut(_redact_looks(_redact_pairs(text, rules)))


class _JsonText:
    """Walks over the tokens of JSON text; what is no secret goes through as it stands."""

    def __init__(self, rules: Masking, level: int) -> None:
        self._rules = rules
        self._level = level
        self._open = [("", False)]
        """The brackets around what comes next, and whether each stands under a secret key."""
        self._next_secret = False

    def redact(self, text: str) -> str | None:
        """Return *text* without secrets, or None when it is not JSON after all."""
        pieces: list[str] = []
        at = 0
        for token in _TOKEN.finditer(text):
            kind = token.lastgroup or ""
            if token.start() != at or not self._open or (kind == "key" and self._open[-1][0] != "{"):
                return None
            pieces.append(self._piece(token[0], kind))
            at = token.end()
        return "".join(pieces) if at == len(text) and len(self._open) == 1 else None

    def _piece(self, text: str, kind: str) -> str:
        if kind == "between":
            return text
        if kind == "key":
            self._next_secret = _is_secret(_unquoted(text) or text, self._rules)
            return text
        secret = self._open[-1][1] or self._next_secret
        self._next_secret = False
        if kind == "open":
            self._open.append((text, secret))
        elif kind == "close":
            self._open.pop()
        else:
            return self._leaf(text, secret=secret)
        return text

    def _leaf(self, text: str, *, secret: bool) -> str:
        if text == "null":
            return text
        if secret or _is_card(text):
            return f'"{MASK}"'
        inner = _unquoted(text)
        if inner is None:
            return f'"{MASK}"' if text[:1] not in "tf" and _is_own(text, self._rules) else text
        redacted = _redact(inner, self._rules, level=self._level + 1)
        return text if redacted == inner else _quoted(redacted)


def _unquoted(text: str) -> str | None:
    """Return the string that a JSON string stands for; None for a number, or for what is no proper string."""
    try:
        return str(json.loads(text, strict=False)) if text[:1] == '"' else None
    except ValueError:
        return text[1:-1]


def _quoted(text: str) -> str:
    """Write a JSON string; only one with half a surrogate pair needs escapes for everything."""
    return json.dumps(text, ensure_ascii=any("\ud800" <= character <= "\udfff" for character in text))


def _redact_pairs(text: str, rules: Masking) -> str:
    """Mask the value of each `key=value`, `key: value` and `"key": "value"` whose key is secret."""
    return _cut(text, _secret_values(text, rules))


def _secret_values(text: str, rules: Masking) -> Iterator[tuple[int, int]]:
    end = 0
    for key in KEY.finditer(text):
        if key.end() >= end and _is_secret(key[1], rules):
            end = _end_of_value(text, key.end())
            yield key.end(), end


def _end_of_value(text: str, start: int) -> int:
    """Return where a secret value ends; an object or a list that is cut off (a first KB) ends with the text."""
    if text[start : start + 1] in {"{", "["}:
        end = value_end(text, start)
        start = end if end >= 0 else len(text)
        value = _BARE.match(text, start)
    else:
        value = _VALUE.match(text, start)
    return value.end() if value else start


def _cut(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """Return *text* with `MASK` in the place of each of the *spans*, which follow one another; quotes stay."""
    places = [(0, 0), *spans, (len(text), len(text))]
    if len(places) == 2:  # noqa: PLR2004 - nothing but the ends
        return text
    return "".join(
        text[before[1] : after[0]] + _masked(text[after[0] : after[1]]) for before, after in pairwise(places)
    )


def _masked(value: str) -> str:
    quote = value[:1] if value[:1] in {'"', "'"} else ""
    return f"{quote}{MASK}{quote}" if value else ""


def _redact_looks(text: str) -> str:
    return _CARD.sub(lambda match: MASK if _is_card(match[0]) else match[0], _LOOKS.sub(_masked_looks, text))


def _masked_looks(match: re.Match[str]) -> str:
    return f"{match['scheme'] or match['link'] or ''}{MASK}"


def _is_card(text: str) -> bool:
    """Whether *text* is a card's number: an issuer's first digits, their length, and the check digit (Luhn)."""
    digits = text.replace(" ", "").replace("-", "")
    if not _ISSUED.fullmatch(digits) or not digits.isascii():
        return False
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(doubled)) % 10 == 0
