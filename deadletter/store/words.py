"""Text to the words that are searched for: the same in both databases. Pure."""

from __future__ import annotations

import re
import unicodedata
from itertools import islice

MAX_CHARS = 16_384
"""How much of an event's text is searched."""

MAX_WORD = 64
"""A longer word is found by its beginning."""

MAX_QUERY_WORDS = 16

_WORD = re.compile(r"[^\W_]+")
_ASCII = {code: chr(code).lower() if chr(code).isalnum() else " " for code in range(128)}


def words_of(text: str) -> list[str]:
    """Return the words of *text*, in order: letters and digits only, in lower case, without accents.

    An id such as ``ord-7741`` is two words, so that it is found by either; a search for the whole of it asks for both,
    side by side.
    """
    text = text[:MAX_CHARS]
    if text.isascii():
        found = text.translate(_ASCII).split()
    else:
        plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
        found = _WORD.findall(plain.casefold())
    return [word[:MAX_WORD] for word in found]


def phrases_of(query: str) -> list[list[str]]:
    """Return what a person typed as phrases, all of which must occur; the last word of the last may be unfinished.

    What is written without a space between (``ord-7741``, ``KeyError:id``) is one phrase. Nothing in it is an operator.
    """
    phrases = (words_of(part) for part in query[:MAX_CHARS].split())
    return list(islice((phrase for phrase in phrases if phrase), MAX_QUERY_WORDS))
