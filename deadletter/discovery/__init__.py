"""Discovery: from what an account's listings say to the places where failures land, and to what has none. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from deadletter.discovery.account import Account
from deadletter.discovery.gaps import Gap, list_gaps
from deadletter.discovery.places import Place, list_places


@dataclass(frozen=True, slots=True)
class AccountMap:
    """Where failures land, and what fails without a trace."""

    places: tuple[Place, ...]
    gaps: tuple[Gap, ...]


def map_account(account: Account, registered: Collection[str] = frozenset()) -> AccountMap:
    """Draw the map of *account*; *registered* are the ARNs of the sources that are known already.

    Pure, total, and independent of the order of the listings.
    """
    return AccountMap(list_places(account, registered), list_gaps(account))
