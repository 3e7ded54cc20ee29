"""Amounts, assets and addresses as they are shown."""

from __future__ import annotations

from ..wire.program_address import NATIVE_MINT
from .terminal import clean

__all__ = ["asset", "format_amount", "short_address", "signed_amount"]

_KEPT_CHARACTERS = 4
"""Of an address, at either end, on a terminal."""


def format_amount(amount: int, decimals: int | None) -> str:
    """Return an amount in whole tokens, exactly; in the smallest unit where the decimals are unknown."""
    if decimals is None:
        return f"{amount:,} units"

    whole, fraction = divmod(abs(amount), 10**decimals)
    digits = f"{fraction:0{decimals}d}".rstrip("0") if decimals else ""
    return f"{'-' if amount < 0 else ''}{whole:,}{'.' + digits if digits else ''}"


def signed_amount(amount: int, decimals: int | None) -> str:
    """Return a change, with its sign."""
    return f"{'+' if amount > 0 else ''}{format_amount(amount, decimals)}"


def asset(mint: str | None, *, is_short: bool) -> str:
    """Return what is counted: SOL, wrapped SOL, or a mint's address."""
    if mint is None:
        return "SOL"

    return "wrapped SOL" if mint == NATIVE_MINT else short_address(mint, is_short=is_short)


def short_address(address: str, *, is_short: bool) -> str:
    """Return an address as shown: whole for programs, its two ends for people."""
    text = clean(address)
    if not is_short or len(text) <= 2 * _KEPT_CHARACTERS:
        return text

    return f"{text[:_KEPT_CHARACTERS]}…{text[-_KEPT_CHARACTERS:]}"
