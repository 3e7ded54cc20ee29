"""What Solana's JSON-RPC answers, as immutable values; amounts are exact integers."""

from __future__ import annotations

import attrs

__all__ = ["Account", "Blockhash", "DataSlice", "ProgramAccount", "SimulationResult", "TokenAmount"]


@attrs.frozen(kw_only=True)
class Account:
    """An account's whole state."""

    lamports: int
    owner: str
    """The owning program's address."""
    data: bytes = attrs.field(repr=lambda data: f"<{len(data)} bytes>")
    executable: bool
    rent_epoch: int | None = None
    space: int | None = None
    """The length of the data in bytes, also where only a slice of it was asked for."""


@attrs.frozen(kw_only=True)
class ProgramAccount:
    """An account of a program, with its address."""

    address: str
    account: Account


@attrs.frozen(kw_only=True)
class DataSlice:
    """The part of an account's data to send."""

    offset: int
    """In bytes."""
    length: int
    """In bytes."""


@attrs.frozen(kw_only=True)
class TokenAmount:
    """What a token account holds."""

    amount: int
    """In base units of the mint."""
    decimals: int


@attrs.frozen(kw_only=True)
class Blockhash:
    """The newest blockhash."""

    blockhash: str
    last_valid_block_height: int


@attrs.frozen(kw_only=True)
class SimulationResult:
    """What a transaction would do."""

    error: str | None
    """As JSON text of Solana's `TransactionError`; None for a success."""
    logs: tuple[str, ...]
    units_consumed: int | None
    accounts: tuple[Account | None, ...]
    """The accounts asked for, after the transaction; None where one does not exist, or the transaction failed."""
    return_data: bytes | None

    @property
    def is_success(self) -> bool:
        """Whether the transaction would succeed."""
        return self.error is None
