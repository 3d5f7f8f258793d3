"""What a measurement claims: one row of the table."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One claim: what was measured, and whether it meets its bar."""

    name: str
    value: float
    unit: str
    bar: str
    ok: bool
    note: str = ""


def at_least(bar: float, name: str, value: float, unit: str = "ratio", note: str = "") -> Row:
    """Return the row of a claim that is met from *bar* up."""
    return _row(name, value, unit, f"at least {bar:g}", ok=value >= bar, note=note)


def under(bar: float, name: str, value: float, unit: str, note: str = "") -> Row:
    """Return the row of a claim that is met below *bar*."""
    return _row(name, value, unit, f"under {bar:g}", ok=value < bar, note=note)


def at_most(bar: float, name: str, value: float, unit: str, note: str = "") -> Row:
    """Return the row of a claim that is met up to *bar*."""
    return _row(name, value, unit, f"at most {bar:g}", ok=value <= bar, note=note)


def _row(name: str, value: float, unit: str, bar: str, *, ok: bool, note: str) -> Row:  # noqa: PLR0913 - a row's columns
    return Row(name, round(value, 2), unit, bar, ok, note)


Topic = Callable[[], list[Row]]
