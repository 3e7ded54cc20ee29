"""Numbers and names on a report."""

from __future__ import annotations

from collections.abc import Sequence

from ...wire.program_address import NATIVE_MINT
from ..idl import Idl
from .page import number

__all__ = ["amount", "compact", "exact", "explained", "seconds", "short", "signed", "slot", "whole"]

_SUFFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def compact(value: float) -> str:
    """Return a number in few characters, for an axis: 12.5k, 0.003."""
    for size, suffix in _SUFFIXES:
        if abs(value) >= size:
            return f"{value / size:.4g}{suffix}"

    return f"{value:.4g}"


def exact(value: float) -> str:
    """Return a count."""
    return f"{value:,.0f}"


def explained(error: str, idls: Sequence[Idl], program: str | None = None) -> str:
    """Return an error with the words that the program which failed has for it, as far as it is known which one did."""
    for idl in idls:
        if program is None or idl.address in (None, program):
            error = idl.explain(error)
    return error


def seconds(value: float) -> str:
    """Return a time since the beginning."""
    return f"{value / 60:.1f} min" if value >= 120 else f"{value:.3g} s"


def slot(value: float) -> str:
    """Return a slot."""
    return f"slot {value:.0f}"


def whole(value: int | None) -> str | None:
    """Return a whole number with separators, for a table."""
    return None if value is None else number(f"{value:,}")


def amount(value: int, decimals: int | None) -> str:
    """Return an amount in whole tokens, exactly; in the smallest unit where the decimals are unknown."""
    if decimals is None:
        return number(f"{value:,} units")

    whole_tokens, fraction = divmod(abs(value), 10**decimals)
    digits = f"{fraction:0{decimals}d}".rstrip("0") if decimals else ""
    return number(f"{'-' if value < 0 else ''}{whole_tokens:,}{'.' + digits if digits else ''}")


def signed(value: int, decimals: int | None) -> str:
    """Return a change, with its sign."""
    return number(f"{'+' if value > 0 else ''}{amount(value, decimals)}")


def short(address: str | None) -> str:
    """Return the two ends of an address; SOL has none."""
    if address is None:
        return "SOL"
    if address == NATIVE_MINT:
        return "wrapped SOL"

    return address if len(address) <= 12 else f"{address[:4]}…{address[-4:]}"
