"""Replace what varies from event to event by its name: `<uuid>`, `<int>`, `<date>`. One regex, one pass, linear."""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_CHARS = 1000
"""How much of a text is masked, in characters; the rest is dropped.

Lambda writes the first KB of a message to a DLQ and all of it to a destination: cut like this, both are one cause.
"""

_HEX = r"[0-9a-fA-F]"
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}"
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?"
_ZONE = r"(?: ?(?:Z|UTC|GMT|[+-]\d{2}:?\d{2}))?"
_UNIT = r"(?:ns|us|ms|s|m|h|d)"
_LONG_UNIT = r"(?:(?:nano|micro|milli)?seconds?|msecs?|ms|secs?|s|minutes?|mins?|hours?|hrs?|days?|weeks?)"
_TLD = r"(?:com|net|org|io|dev|app|cloud|internal|local|aws|eu|de|uk|us)"


@dataclass(frozen=True, slots=True)
class Mask:
    """A kind of thing that varies: its name in the masked text, what people call several of it, and how it looks."""

    name: str
    words: str
    pattern: str


# The first that matches at a place wins, so what contains others stands before them. Each pattern begins at the start
# of a word and must end at the end of one (see `_combined`), so a mask's name never makes its neighbours match anew;
# each is bounded, so no text takes more than linear time.
MASKS = (
    Mask("url", "URLs", r"""[A-Za-z][A-Za-z0-9+.-]{1,15}://[^\s"'`<>()\[\]{}|\\^]*[\w/=&#-]"""),
    Mask("email", "email addresses", r"[A-Za-z0-9][\w.+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}"),
    Mask("arn", "ARNs", r"""arn:aws[a-z-]{0,16}:[^\s"'`<>()\[\]{}|\\^,;]*\w"""),
    Mask("trace", "trace ids", rf"1-{_HEX}{{8}}-{_HEX}{{24}}|00-{_HEX}{{32}}-{_HEX}{{16}}-{_HEX}{{2}}"),
    Mask("uuid", "UUIDs", rf"{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}"),
    Mask("mac", "MAC addresses", rf"(?:{_HEX}{{2}}[:-]){{5}}{_HEX}{{2}}"),
    Mask(
        "token",
        "tokens",
        r"eyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]+)?"
        r"|(?=[A-Za-z+/]{0,99}\d)(?=[a-z0-9+/]{0,99}[A-Z])(?=[A-Z0-9+/]{0,99}[a-z])[A-Za-z0-9+/]{40,}={0,2}",
    ),
    Mask(
        "date",
        "dates and times",
        rf"\d{{4}}[-/]\d{{2}}[-/]\d{{2}}(?:[T ]{_CLOCK}{_ZONE})?"
        r"|\d{8}T\d{6}Z?"
        rf"|(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{{0,6}},? )?(?:\d{{1,2}}[ /-]{_MONTH}[ /-]\d{{4}}"
        rf"|{_MONTH} {{1,2}}\d{{1,2}}(?:,? \d{{4}})?)(?:[ :]{_CLOCK}(?: \d{{4}})?{_ZONE})?"
        rf"|\d{{1,2}}:\d{{2}}:\d{{2}}(?:[.,]\d{{1,9}})?{_ZONE}",
    ),
    Mask(
        "duration",
        "durations",
        rf"(?:\d{{1,15}}(?:\.\d{{1,9}})?{_UNIT}){{1,5}}|\d{{1,15}}(?:\.\d{{1,9}})?[ -]{_LONG_UNIT}",
    ),
    Mask(
        "ip",
        "IP addresses",
        r"(?:\d{1,3}\.){3}\d{1,3}(?::\d{1,5}|/\d{1,2})?"
        rf"|(?:{_HEX}{{1,4}}:){{7}}{_HEX}{{1,4}}"
        rf"|(?=[a-fA-F:]{{0,40}}\d)(?:{_HEX}{{1,4}}:){{1,6}}(?::{_HEX}{{1,4}}){{1,6}}",
    ),
    Mask("host", "host names", rf"(?=[A-Za-z.-]{{0,99}}\d)(?:[A-Za-z0-9-]{{1,63}}\.){{1,9}}{_TLD}(?::\d{{1,5}})?"),
    Mask("hex", "hex numbers", rf"0[xX]{_HEX}+|(?=[a-fA-F]*\d)(?=\d*[a-fA-F]){_HEX}{{8,128}}"),
    Mask(
        "id",
        "ids",
        r"(?=[\d_-]*[A-Za-z])(?:[A-Za-z]{1,16}[_-](?=\d)|(?=[A-Za-z_-]{0,64}\d[A-Za-z_-]{0,64}\d)(?=[\w-]{6})"
        r"|(?=[\w-]{16})(?=[A-Za-z_-]{0,64}\d))[\w-]*\w",
    ),
    Mask("float", "numbers", r"\d+\.\d+(?:[eE][+-]?\d{1,4})?|\d+[eE][+-]?\d{1,4}"),
    Mask("int", "numbers", r"\d{1,3}(?:,\d{3})+|\d+"),
)
QUOTED = Mask(
    "quoted",
    "quoted values",
    # What stands behind `=` or `:` is a value. A KeyError's text is nothing but its key, which is the cause.
    r"""(?<=[=:])(?:"[^"\n]*"|'[^'\n]*')|(?<=[=:] )(?<!Error: )(?<!>: )(?:"[^"\n]*"|'[^'\n]*')""",
)
PATHS = Mask("path", "temporary files", r"""(?<![\w/>.])/(?:private/)?(?:tmp|var/folders)/[^\s"'`<>()\[\]{}|\\^,;:]*""")

KEPT = (
    # A status says which failure it is: 503 and 404 are two causes.
    r"(?:HTTP|[Ss]tatus|[Ss]tatus[ _-]?[Cc]ode|[Ee]xit[ _-][Cc]ode)(?:/\d\.\d)?(?: ?[=:] ?| )\d{1,3}"
    r"|[1-5]\d\d (?:OK|Bad|Unauthori[sz]ed|Forbidden|Not|Conflict|Gone|Too|Internal|Service|Gateway)"
    r"|SQLSTATE[ =:]{1,2}[0-9A-Z]{5}"
    # Names that happen to hold digits.
    r"|(?:utf|UTF|latin|base|sha|SHA|u?int|float|python)[_-]?\d{1,3}(?![.@-]?\w|:)|x86_64|(?:iso|ISO)-8859-\d{1,2}"
    r"|[a-z]{2}-(?:[a-z]{3,9}-){1,2}\d[a-z]?"
)
"""What looks like a thing that varies and is not: it stays as it is."""


@dataclass(frozen=True, slots=True)
class Masked:
    """A masked text, and the names of the masks that hit, each once, in the order of the table."""

    text: str
    names: tuple[str, ...]


_PLAIN_WORD = (
    r"(?!HTTP|SQL|[Ss]tatus|[Ee]xit|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec|Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
    r"[A-Za-z]+(?:[ ,;)\n]|\Z)"
)
"""What most of a text is made of, and begins nothing that is masked or kept: passed over at once, for speed only."""


def _combined() -> re.Pattern[str]:
    """Join the table. A pattern's group stands empty behind it, so that the engine sees how the pattern begins."""
    words = "|".join(f"(?:{mask.pattern})(?P<{mask.name}>)" for mask in MASKS)
    rest = "|".join(f"(?:{mask.pattern})(?P<{mask.name}>)" for mask in (QUOTED, PATHS))
    at_words = rf"(?<!\w)(?=[A-Za-z0-9])(?!{_PLAIN_WORD})(?:(?:{KEPT})(?P<kept>)|{words})(?!\w)"
    return re.compile(rf"{at_words}|(?=[\"'/])(?:{rest})", re.ASCII)


_MASK = _combined()
_ORDER = tuple(mask.name for mask in (*MASKS, QUOTED, PATHS))
_WORDS = {mask.name: mask.words for mask in (*MASKS, QUOTED, PATHS)}
_TOKEN = re.compile(f"<({'|'.join(_ORDER)})>")


def mask(text: str) -> Masked:
    """Mask what varies in the first `MAX_CHARS` of *text*. Masking what is masked changes nothing."""
    hits: set[str] = set()

    def named(match: re.Match[str]) -> str:
        name = match.lastgroup
        if name is None or name == "kept":
            return match[0]
        hits.add(name)
        return f"<{name}>"

    masked = _MASK.sub(named, text[:MAX_CHARS])
    return Masked(masked, tuple(name for name in _ORDER if name in hits) if hits else ())


def masked_text(text: str) -> str:
    """Return the text of `mask` alone, which is cheaper."""
    return _MASK.sub(_shown, text[:MAX_CHARS])


_SHOWN = {name: f"<{name}>" for name in _ORDER}


def _shown(match: re.Match[str]) -> str:
    return _SHOWN.get(match.lastgroup or "") or match[0]


def masked_things(masked: str) -> tuple[str, ...]:
    """Return what people call the things that were masked in *masked*, each once, in the order of the table."""
    found = set(_TOKEN.findall(masked))
    return tuple(dict.fromkeys(_WORDS[name] for name in _ORDER if name in found))
