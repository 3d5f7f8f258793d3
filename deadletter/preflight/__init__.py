"""What a handler's idempotency record means for a redrive: the key of an event, and the state of its record. Pure.

Computed exactly as Powertools for AWS Lambda (Python) 3.37 does it, without importing it; tests hold one against the
other.
"""

from deadletter.preflight.keys import KeyRules, Names, Rules, keys_of, validation_of
from deadletter.preflight.states import Protection, Record, at_send, is_protected, protection, worst

__all__ = [
    "KeyRules",
    "Names",
    "Protection",
    "Record",
    "Rules",
    "at_send",
    "is_protected",
    "keys_of",
    "protection",
    "validation_of",
    "worst",
]
