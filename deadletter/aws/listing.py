"""Listing calls: paced, paged, and what to make of those that are refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from deadletter.aws.pacer import Pacer
from deadletter.aws.trouble import ERRORS, Trouble, kind_of, retry_after_s
from deadletter.errors import SourceError
from deadletter.event import Json

BACK_OFF_S = (1.0, 2.0, 4.0, 8.0)
"""How long to wait after each throttled answer in a row; after the last we give that call up."""

OpenClient = Callable[[str], Any]
"""From a service's name, as boto3 knows it, to its client."""

Tell = Callable[[str, int], None]
"""Hears, before each call, its action and how many were made. What it raises ends the reading."""


def tell_nobody(_action: str, _calls: int) -> None:
    """Hear nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One call that lists or describes.

    `action` is the permission that it takes, `hides` what is not known without it. A page's entries are under `items`;
    `token` names the parameter that asks for the next page and the key of the answer that it is taken from.
    """

    service: str
    method: str
    action: str
    hides: str
    items: str = ""
    token: tuple[str, str] = ("NextToken", "NextToken")
    given: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class _Refusal:
    """How often a call was refused, and the first time in AWS's words."""

    verb: str
    hides: str
    said: str
    count: int = 0

    def sentence(self, action: str) -> str:
        """Return what was refused, and what that hides."""
        times = "once" if self.count == 1 else f"{self.count:,} times"
        return f"{action} {self.verb} {times}, which hides {self.hides}. (AWS: {self.said})"


class Reader:
    """Makes listing calls, one after the other; a call that is refused is noted, and the rest goes on."""

    def __init__(self, open_client: OpenClient, pacer: Pacer, tell: Tell = tell_nobody) -> None:
        self._open = open_client
        self._pacer = pacer
        self._tell = tell
        self._refusals: dict[str, _Refusal] = {}

    @property
    def refused(self) -> tuple[str, ...]:
        """A sentence for each kind of call that was refused, by its action."""
        return tuple(refusal.sentence(action) for action, refusal in sorted(self._refusals.items()))

    def entries(self, listing: Listing, **given: object) -> Iterator[Json]:
        """Yield the entries of every page; those before a refused page are yielded all the same."""
        for page in self._pages(listing, given):
            yield from (page or {}).get(listing.items) or []

    def whole(self, listing: Listing, **given: object) -> list[Json] | None:
        """Return the entries of all pages, or None where one was refused: half a list would look like a whole one."""
        pages = list(self._pages(listing, given))
        if None in pages:
            return None
        return [entry for page in pages for entry in (page or {}).get(listing.items) or []]

    def ask(self, listing: Listing, **given: object) -> Mapping[str, Json] | None:
        """Return one answer; None where it was refused, or the thing asked about has gone meanwhile.

        Raises:
            SourceError: AWS does not know who we are, so no call can work.
        """
        for wait_s in (*BACK_OFF_S, None):
            self._tell(listing.action, self._pacer.calls)
            self._pacer.wait()
            try:
                answer: Mapping[str, Json] = getattr(self._open(listing.service), listing.method)(**given)
            except ERRORS as error:
                if wait_s is None or kind_of(error) not in {Trouble.THROTTLED, Trouble.UNWELL}:
                    self._refuse(listing, error)
                    break
                self._pacer.pause(max(wait_s, retry_after_s(error) or 0))
            else:
                return answer
        return None

    def _pages(self, listing: Listing, given: Mapping[str, object]) -> Iterator[Mapping[str, Json] | None]:
        parameter, key = listing.token
        page = self.ask(listing, **listing.given, **given)
        yield page
        while page and (token := page.get(key)):
            page = self.ask(listing, **listing.given, **given, **{parameter: token})
            yield page

    def _refuse(self, listing: Listing, error: Exception) -> None:
        kind, said = kind_of(error), " ".join(str(error).split())
        if kind is Trouble.CREDENTIALS:
            message = (
                f"AWS does not know us: {said.rstrip('.')}. Give us valid credentials (AWS_PROFILE), and try again."
            )
            raise SourceError(message) from error
        if kind is not Trouble.MISSING:
            verb = "was refused" if kind in {Trouble.DENIED, Trouble.REFUSED} else "failed"
            self._refusals.setdefault(listing.action, _Refusal(verb, listing.hides, said)).count += 1
