"""What a house calls secret beside the usual: names of keys, patterns of names, patterns of values. Pure.

Payloads are hostile and long, and a regular expression can take forever on such a text. So a pattern is taken only if
its work has a bound that can be told from itself: each repeat has an end, and all ways to match from one character are
counted before it is used. A text that is too long even so is masked as a whole: time has an end, and nothing leaks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from re import _parser  # type: ignore[attr-defined] # the only one who reads patterns as re does
from typing import Any

from deadletter.errors import BadInput

MASK = "••••••"

MOST_STEPS = 10_000
"""Steps that a pattern may take from one character of a text."""

MOST_WORK = 100_000_000
"""Steps that one document may take: a few seconds at the very worst."""

_MOST_PATTERNS = 100
_MOST_CHARACTERS = 500
_MOST_REPEATS = 1_000
_ONE_CHARACTER = {"LITERAL", "NOT_LITERAL", "ANY", "IN", "AT", "CATEGORY"}
_REPEATS = {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}


def joined(key: str) -> str:
    """Return a key's name without what separates its words, in small letters."""
    return "".join(filter(str.isalnum, key)).casefold()


@dataclass(frozen=True, slots=True)
class ValuePattern:
    """What a secret, or its name, looks like.

    `steps` is the most that it takes from one character, `needs` what must be there.
    """

    pattern: re.Pattern[str]
    steps: int
    needs: str = ""


@dataclass(frozen=True, slots=True)
class SecretRules:
    """The house's own rules."""

    keys: frozenset[str] = frozenset()
    names: tuple[ValuePattern, ...] = ()
    values: tuple[ValuePattern, ...] = ()
    _joined: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Keep the names as they are compared: `api_key`, `apiKey` and `X-Api-Key` are one."""
        object.__setattr__(self, "_joined", frozenset(map(joined, self.keys)))

    def is_secret(self, key: str) -> bool:
        """Return whether what stands under *key* is a secret by these rules."""
        if not (self._joined or self.names):
            return False
        return joined(key) in self._joined or any(name.pattern.search(key) for name in self.names)

    def steps_for(self, key: str) -> int:
        """Return the most steps that it takes to look at *key*."""
        return len(key) * sum(name.steps for name in self.names)


class Masking:
    """The rules on one document: they may take `MOST_WORK` steps, and what comes after those is masked unseen."""

    def __init__(self, rules: SecretRules) -> None:
        self._rules = rules
        self._left = MOST_WORK

    def is_secret(self, key: str) -> bool:
        """Return whether what stands under *key* is a secret, or nobody can look any more."""
        self._left -= self._rules.steps_for(key)
        return self._left < 0 or self._rules.is_secret(key)

    def cut(self, text: str) -> str:
        """Return *text* with a mask in the place of each value that a pattern finds."""
        for value in self._rules.values:
            if all(character in text for character in value.needs):
                self._left -= len(text) * value.steps
                if self._left < 0:
                    return MASK
                text = value.pattern.sub(MASK, text)
        return text


NO_RULES = SecretRules()


def read_rules(keys: Iterable[str], names: str, values: str) -> SecretRules:
    """Return the rules; *names* and *values* have one pattern a line.

    Raises:
        BadInput: A pattern is none, could take too long, or matches even an empty text; the message says which.
    """
    name_patterns = _read(names, "REDRIVE_SECRET_KEY_PATTERNS")
    value_patterns = _read(values, "REDRIVE_SECRET_VALUES")
    return SecretRules(frozenset(keys), tuple(name_patterns), tuple(value_patterns))


def _read(text: str, setting: str) -> list[ValuePattern]:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > _MOST_PATTERNS:
        raise BadInput(f"{setting} has {len(lines):,} patterns, and may have {_MOST_PATTERNS}.")
    return [_pattern(line, setting) for line in lines]


def _pattern(text: str, setting: str) -> ValuePattern:
    said = f"{setting} has {text[:80]!r}"
    if len(text) > _MOST_CHARACTERS:
        raise BadInput(f"{said} …, which has {len(text):,} characters, and may have {_MOST_CHARACTERS}.")
    try:
        pattern = re.compile(text)
        parts = _parser.parse(text)
        steps, _ = _sequence(parts)
    except (re.error, RecursionError, OverflowError) as error:
        raise BadInput(f"{said}, which is no regular expression: {error}.") from None
    except _TooMuch as error:
        raise BadInput(f"{said}, {error}") from None
    if pattern.search(""):
        raise BadInput(f"{said}, which fits an empty text too: it would mask between all letters. Ask for something.")
    return ValuePattern(pattern, steps, "" if pattern.flags & re.IGNORECASE else _needs(parts))


def _needs(parts: Iterable[tuple[Any, Any]]) -> str:
    """Return characters without which there is no match: a look for those costs next to nothing."""
    return "".join(chr(given) for kind, given in parts if str(kind) == "LITERAL")


class _TooMuch(Exception):
    """A pattern whose work has no bound, or too high a one; the text goes on after its name."""


def _sequence(parts: Iterable[tuple[Any, Any]]) -> tuple[int, int]:
    """Return how many steps all ways to match *parts* take from one character, and how many ways there are."""
    steps, ways = 0, 1
    for kind, given in parts:
        more, times = _part(str(kind), given)
        steps, ways = steps + ways * more, ways * times
        if max(steps, ways) > MOST_STEPS:
            raise _TooMuch(
                f"which can take more than {MOST_STEPS:,} steps for each character of a text. Do not repeat what "
                "repeats itself, and make repeats shorter."
            )
    return steps, ways


def _part(kind: str, given: Any) -> tuple[int, int]:  # noqa: ANN401 - what the parser says of each kind
    if kind in _ONE_CHARACTER:
        return 1, 1
    if kind in _REPEATS:
        return _repeat(*given)
    if kind == "BRANCH":
        every = [_sequence(branch) for branch in given[1]]
        return sum(steps for steps, _ in every) + 1, sum(ways for _, ways in every)
    if kind in {"SUBPATTERN", "ASSERT", "ASSERT_NOT", "ATOMIC_GROUP"}:
        return _sequence(given if kind == "ATOMIC_GROUP" else given[-1])
    raise _TooMuch("which refers back to what it found: such a pattern can take forever. Write it without that.")


def _repeat(least: int, most: int, inner: Iterable[tuple[Any, Any]]) -> tuple[int, int]:
    if most > _MOST_REPEATS:
        raise _TooMuch(
            f"in which a repeat has no end, or one above {_MOST_REPEATS:,}: on a hostile text that takes forever. "
            "Write how often at most, as in {1,40} for + and {0,40} for *."
        )
    steps, ways = _sequence(inner)
    all_steps, all_ways = 1, 0
    for n in range(int(most) + 1):
        all_steps += ways**n * steps if n < most else 0
        all_ways += ways**n if n >= least else 0
        if max(all_steps, all_ways) > MOST_STEPS:
            break
    return all_steps, all_ways
