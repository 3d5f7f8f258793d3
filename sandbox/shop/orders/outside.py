"""The services that the shop calls, as far as they matter here: which orders they fail for, and what that looks like.

Release 1 of the shop runs into them: its payment request lacks what some issuers ask for, it calls a mail relay and a
warehouse that are being retired, and its receipts can grow without end. Release 2 does none of that.
"""

from __future__ import annotations

import os
import time
from typing import Any, Final
from uuid import uuid4

Order = dict[str, Any]

RELEASE: Final = int(os.environ["SHOP_RELEASE"])
ISSUER_CODES = (51, 54, 65)
"""No funds, card expired, sign-in wanted."""
_HANGS_S = 30.0
_PAGE_BYTES, _MOST_PAGES = 4 * 1024 * 1024, 128
_PAGE_S = 0.05
"""Seconds. Slow enough that the first attempt's idempotency record has expired when the last attempt begins."""


class PaymentError(Exception):
    """The card's issuer said no."""


class ServiceUnavailable(ConnectionError):
    """A service answered 503."""


def authorise_card(order: Order) -> None:
    """Ask the card's issuer. In release 1 some are declined, and some never answered."""
    if _runs_into(order, 3):
        time.sleep(_HANGS_S)
    if _runs_into(order, 1, 5):
        code, payment = ISSUER_CODES[_number(order) // 3 % len(ISSUER_CODES)], f"pay_{uuid4().hex[:16]}"
        message = f"card declined for order {order['orderId']}: issuer answered {code} to {payment}, request {uuid4()}"
        raise PaymentError(message)


def send_mail(order: Order, text: str) -> None:
    """Hand *text* to the mail relay. In release 1 some go to the one that is being retired."""
    if _runs_into(order, 4):
        _refuse("mail-relay", 2525, f"/v1/messages?to={order['customer']['id']}&bytes={len(text)}")


def book_parcel(order: Order, address: str) -> None:
    """Book a parcel to *address*. In release 1 some go to the old warehouse."""
    if _runs_into(order, 5):
        _refuse("warehouse", 8443, f"/parcels/{order['orderId']}?characters={len(address)}")


def call_partner(name: str, order: Order) -> None:
    """Call a partner's interface. In release 1 it is the old one, which answers 503 to every so many orders."""
    every = int(os.environ["PARTNER_REFUSES_EVERY"])
    if RELEASE == 1 and _number(order) % every == 0:
        _refuse(name, 9443, f"/v1/orders/{order['orderId']}")


def draw_receipt(order: Order) -> int:
    """Draw the receipt; return how many pages it has. In release 1 some never stop growing."""
    endless = _runs_into(order, 7)
    pages = []
    for number in range(_MOST_PAGES if endless else 1):
        time.sleep(_PAGE_S if number else 0)
        pages.append(b"\x01" * _PAGE_BYTES)
    return len(pages)


def _runs_into(order: Order, *places: int) -> bool:
    """Say whether release 1 fails for *order*: for these places of every eight orders that one function gets."""
    return RELEASE == 1 and _number(order) // 3 % 8 in places


def _number(order: Order) -> int:
    return int(str(order["orderId"]).rpartition("-")[2])


def _refuse(service: str, port: int, path: str) -> None:
    host = f"10.0.{len(service)}.17"
    message = f"503 Server Error: Service Unavailable for url: http://{host}:{port}{path} (request {uuid4()})"
    raise ServiceUnavailable(message)
