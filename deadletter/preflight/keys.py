"""The idempotency key of an event, as the handler's Powertools would compute it. Pure.

Source: Powertools for AWS Lambda (Python) 3.37, `utilities/idempotency/persistence/base.py`: `<prefix>#<hash>`, the
hash over `json.dumps(data, sort_keys=True)` with Python's own separators, of what the key path finds in the event; a
text is hashed with its JSON quotes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from deadletter.errors import BadInput
from deadletter.event import Json
from deadletter.expressions import CannotApply, Expression, compile_expression, first_line

HASHES = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha3_256", "sha3_512", "blake2b", "blake2s")
"""What `IdempotencyConfig.hash_function` may name: functions of hashlib whose digest has one length."""


@dataclass(frozen=True, slots=True)
class Names:
    """What the table's attributes are called (`DynamoDBPersistenceLayer`'s arguments, with its defaults).

    With `sort_key` the key stands in the sort key, and the partition key holds `static_pk`.
    """

    key: str = "id"
    sort_key: str | None = None
    static_pk: str | None = None
    expiry: str = "expiration"
    in_progress_expiry: str = "in_progress_expiration"
    status: str = "status"
    validation: str = "validation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How the consumer behind a target keeps its events idempotent.

    `prefix` stands before the `#` of its keys: `<function name>.<module>.<qualname>`, or its `key_prefix`. `key_path`
    is its `event_key_jmespath` (empty: the whole event). `data_path` is empty for a handler; for a function that is
    called once a record it finds, in the handler's event, what that function is handed (`Records[*]`,
    `Records[*].powertools_json(body)`). `validation_path` is its `payload_validation_jmespath`; empty for none.
    `expires_s`: how long a record lives, in seconds.
    """

    table: str
    prefix: str
    key_path: str = ""
    data_path: str = ""
    validation_path: str = ""
    expires_s: int = 3_600
    hash_function: str = "md5"
    names: Names = field(default_factory=Names)


@dataclass(frozen=True, slots=True)
class KeyRules:
    """*rules* with their expressions compiled. Raises BadInput where one is none."""

    prefix: str
    hash_function: str
    key: Expression | None
    data: Expression | None
    validation: Expression | None

    @classmethod
    def of(cls, rules: Rules) -> KeyRules:
        """Compile *rules*. Raises BadInput."""
        if rules.hash_function not in HASHES:
            raise BadInput(f"The hash is {rules.hash_function!r}, and must be one of: {', '.join(HASHES)}.")
        paths = (rules.key_path, rules.data_path, rules.validation_path)
        return cls(rules.prefix, rules.hash_function, *(compile_expression(path) if path else None for path in paths))


def keys_of(event: Json, rules: KeyRules) -> Sequence[tuple[str | None, Json]]:
    """Return, for each thing in *event* that is kept idempotent, its key and the thing; None where it has no key.

    A handler keeps its event; a function that is called once a record keeps each of the records. Raises CannotApply.
    """
    return [(_key(data, rules), data) for data in _handed(event, rules)]


def validation_of(data: Json, rules: KeyRules) -> str | None:
    """Return the hash of what payload validation compares; None where it is not used. Raises CannotApply."""
    return None if rules.validation is None else _hash(rules.validation(data), rules)


def _handed(event: Json, rules: KeyRules) -> Sequence[Json]:
    if rules.data is None:
        return [event]
    found = rules.data(event)
    return found if isinstance(found, list) else [] if found is None else [found]


def _key(data: Json, rules: KeyRules) -> str | None:
    found = rules.key(data) if rules.key else data
    return None if _is_missing(found) else f"{rules.prefix}#{_hash(found, rules)}"


def _is_missing(found: Json) -> bool:
    """Return whether Powertools finds no key here (and then keeps no record): nothing but nulls, or something empty."""
    if isinstance(found, dict):
        return all(value is None for value in found.values())
    if isinstance(found, list | tuple):
        return all(value is None for value in found)
    return not isinstance(found, int | float) and not found


def _hash(data: Json, rules: KeyRules) -> str:
    try:
        text = json.dumps(data, sort_keys=True)
    except (TypeError, ValueError, RecursionError) as error:
        raise CannotApply(f"What the key path finds cannot be written as JSON: {first_line(error)}") from error
    make = partial(hashlib.new, rules.hash_function, usedforsecurity=False)
    return make(text.encode()).hexdigest()
