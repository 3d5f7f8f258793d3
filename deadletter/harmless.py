"""Proof, at a glance, that nothing in a text is secret: then it need not be taken apart to be masked. Pure, linear.

It errs on one side only. Whoever is told True may show the text as it stands, since `redact` would change nothing in
it; of what is not proven here, `redact` decides. Every rule of `redact` has its wider, cheaper counterpart here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from deadletter.jsontext import decode
from deadletter.redact import KEY, is_secret
from deadletter.secret_rules import MOST_WORK, SecretRules

_MOST_KNOWN = 10_000
"""Names that are remembered as no secrets; payloads that make up their keys must not fill the memory."""

_LONGEST = 200
"""Characters of a name that is remembered."""

_STRINGS = re.compile(r'"([^"\\]*+"\s*+:?)')
"""All strings of JSON without escapes, in turn: names of members, each with the sign after it, and values."""

_CARD = r"(?:[ -]*+[0-9]){12}"
_LOOKS = re.compile(
    # Each way begins with a character of its own: then the others are passed over at once.
    rf"yJ[\w-]{{5}}|KIA[A-Z0-9]{{16}}|SIA[A-Z0-9]{{16}}|Bearer\s|Basic\s|://[^/\s:@\"']{{0,128}}:[^/\s@\"']"
    r"|_live_|_test_|h[pousr]_\w{20}|ox[abeprs]-|-----BEGIN "
    rf"|2{_CARD}|3{_CARD}|4{_CARD}|5{_CARD}|6{_CARD}"
)
"""What every token, key, password in a link and card's number has in it."""

_OPENING = frozenset('{["')
_IN_NUMBERS = frozenset("0123456789.+-eE")
_SHORTEST_CARD = 10**12


class Harmless:
    """The rules in force, and the names that they do not call secret; for one export, in one thread."""

    def __init__(self, rules: SecretRules) -> None:
        self._rules = rules
        self._known: set[str] = set()
        self._members: set[str] = set()
        self._steps = 2 * sum(pattern.steps for pattern in (*rules.names, *rules.values))
        self._needs = [frozenset(value.needs) - _IN_NUMBERS for value in rules.values]
        self._can_tell = all(self._needs)

    def is_json(self, text: str) -> bool:
        """Return whether nothing is secret in *text*, which is JSON. What has escapes is not looked at."""
        if "\\" in text or not self._may_look(text):
            return False
        members = [name for name in _STRINGS.findall(text) if name[-1] == ":"]
        if not (self._members.issuperset(members) or all(map(self._is_member, members))):
            return False
        signs = text.count(":") - len(members)  # those that stand in values
        if (signs or "=" in text) and not self._are_known(KEY.findall(text)):
            return False
        return self._looks_so(text)

    def is_value(self, text: str, value: object) -> bool:
        """Return whether nothing is secret in *value*, which *text* is decoded."""
        todo, calm = [value], self._may_look(text)
        while todo and calm:
            part = todo.pop()
            if isinstance(part, dict):
                calm = self._are_known(part)
                todo.extend(part.values())
            elif isinstance(part, list):
                todo.extend(part)
            elif isinstance(part, str):
                calm = self._is_leaf(part)
            elif isinstance(part, int):
                calm = abs(part) < _SHORTEST_CARD
        return calm

    def is_text(self, text: str) -> bool:
        """Return whether nothing is secret in *text*, which is not looked at where it may be JSON."""
        if not self._may_look(text) or text.lstrip()[:1] in _OPENING:
            return False
        return (not (":" in text or "=" in text) or self._are_known(KEY.findall(text))) and self._looks_so(text)

    def _is_leaf(self, text: str) -> bool:
        if text[:1] in _OPENING:
            return decode(text)[0] and self.is_json(text)  # as text: of equal names, each counts
        return self.is_text(text)

    def _may_look(self, text: str) -> bool:
        return self._can_tell and len(text) * self._steps <= MOST_WORK

    def _are_known(self, names: Iterable[str]) -> bool:
        return self._known.issuperset(names) or all(self._is_known(name) for name in names)

    def _is_member(self, member: str) -> bool:
        if not self._is_known(member[:-1].rstrip()[:-1]):
            return False
        if len(self._members) < _MOST_KNOWN and len(member) <= _LONGEST:
            self._members.add(member)
        return True

    def _is_known(self, name: str) -> bool:
        if name not in self._known and is_secret(name, self._rules):
            return False
        if len(self._known) < _MOST_KNOWN and len(name) <= _LONGEST:
            self._known.add(name)
        return True

    def _looks_so(self, text: str) -> bool:
        if _LOOKS.search(text):
            return False
        return not self._needs or all(any(sign not in text for sign in needs) for needs in self._needs)
