"""What customers order: made from the order's number alone, so that the same number is always the same order."""

from __future__ import annotations

from typing import Any

_GOODS = (("TEA-03", 9.2), ("MUG-11", 14.5), ("POT-07", 39.0), ("TIN-02", 6.8))
_PLACES = (("12 Harbour Street", "Cork", "T12"), ("4 Mill Lane", "Galway", "H91"), ("77 North Quay", "Dublin", "D01"))
_PICKED_UP = 2
"""Of every four orders that one function gets, the one that the customer picks up: it has no shipping address."""


def make_order(number: int) -> dict[str, Any]:
    """Return order *number*."""
    sku, price = _GOODS[number % len(_GOODS)]
    quantity = 1 + number % 3
    pickup = number // 3 % 4 == _PICKED_UP
    return {
        "orderId": f"ord-{number}",
        "customer": {"id": f"c-{number * 7 % 900}", "email": f"customer{number * 7 % 900}@example.com"},
        "lines": [{"sku": sku, "qty": quantity, "price": price}],
        "total": round(price * quantity, 2),
        "currency": "EUR",
        "card": {"token": f"tok_{number:012x}", "last4": f"{number * 37 % 10000:04}"},
        "delivery": "pickup" if pickup else "parcel",
        **({} if pickup else {"shippingAddress": _address(number)}),
    }


def _address(number: int) -> dict[str, str]:
    street, city, postcode = _PLACES[number % len(_PLACES)]
    return {"street": street, "city": city, "postcode": postcode}
