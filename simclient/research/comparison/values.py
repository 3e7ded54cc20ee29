"""What a comparison finds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import final

import attrs

from ...errors import InputError
from ...wire.addresses import address_of
from ..records import RunMetadata
from ..tables import Column, Table

__all__ = ["BalanceDifference", "Comparison", "Difference", "Filters", "Kind", "LineDifference"]


class Kind(Enum):
    """How a transaction differs between two runs; one can differ in several ways."""

    REGRESSION = "regressions"
    """It succeeded and now fails."""
    IMPROVEMENT = "improvements"
    """It failed and now succeeds."""
    ERROR = "errors"
    """It fails in both, in different ways."""
    BALANCES = "balances"
    """It succeeds in both, and changes balances by other amounts."""
    LOGS = "logs"
    """It ended the same way, with other logs; what instructions consumed does not count."""
    COMPUTE_UNITS = "compute-units"
    """It ended the same way, and consumed more or less."""
    FEE = "fees"
    """It paid another fee."""
    MISSING = "missing"
    """It is in the baseline only."""
    EXTRA = "extra"
    """It is in the experiment only."""

    __hash__ = object.__hash__  # members are compared by identity; Enum's own goes by the name, in Python


@attrs.frozen(kw_only=True)
class BalanceDifference:
    """By how much one account's balance changed in either run, in the smallest unit."""

    account: str
    mint: str | None
    """None: lamports."""
    owner: str | None
    """The wallet of a token account."""
    decimals: int
    baseline: int
    experiment: int

    @property
    def delta(self) -> int:
        """What the experiment has more, in the smallest unit."""
        return self.experiment - self.baseline


@attrs.frozen(kw_only=True)
class LineDifference:
    """Where the logs part."""

    index: int
    """Of the first line that differs, from 0."""
    baseline: str | None
    """None: there are no more lines."""
    experiment: str | None


@attrs.frozen(kw_only=True)
class Difference:
    """One way in which one transaction differs."""

    kind: Kind
    slot: int
    """In the baseline; of an extra transaction, in the experiment."""
    signature: str
    baseline: int | str | None = None
    """The error's text, the number of log lines, the compute units or the fee."""
    experiment: int | str | None = None
    balances: tuple[BalanceDifference, ...] = ()
    """The largest relative changes first."""
    line: LineDifference | None = None
    success: bool | None = None
    """Of a missing or extra transaction: whether it succeeded where it is."""

    @property
    def size(self) -> float:
        """How large it is among its kind: relative changes of balances summed, or the difference of two numbers."""
        if self.balances:
            return sum(_relative(one) for one in self.balances)
        if isinstance(self.baseline, int) and isinstance(self.experiment, int):
            return abs(self.experiment - self.baseline)
        return 0.0


def _relative(one: BalanceDifference) -> float:
    """Weigh a change of one balance: relative to what it was, so that lamports and tokens can be put in one order."""
    return abs(one.delta) / max(abs(one.baseline), abs(one.experiment), 1)


def _addresses(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(address_of(text) for text in texts))


@attrs.frozen(kw_only=True)
class Filters:
    """Which transactions are compared, and which differences are too small to tell.

    Raises:
        InputError: An address is none, the range is reversed, or a threshold is negative or no number.
    """

    start_slot: int | None = None
    """Inclusive."""
    end_slot: int | None = None
    """Inclusive."""
    mentions: tuple[str, ...] = attrs.field(default=(), converter=_addresses)
    """Addresses of programs, accounts, wallets or mints: at least one of them stands in the transaction's line."""
    min_compute_units: int = 0
    """Differences of so many compute units, or fewer, are none."""
    min_relative_balance: float = 0.0
    """Balance changes that differ by at most this fraction are the same: 0.01 is one percent."""

    def __attrs_post_init__(self) -> None:
        if self.start_slot is not None and self.end_slot is not None and self.end_slot < self.start_slot:
            raise InputError(f"the range is reversed: slot {self.end_slot} is before {self.start_slot}; swap them")
        if self.min_compute_units < 0 or not self.min_relative_balance >= 0:  # NaN is not
            raise InputError("a threshold below 0 cannot be used: 0 lets every difference count")


@attrs.frozen(kw_only=True)
class RunSide:
    """One of the two runs."""

    path: str
    metadata: RunMetadata
    transactions: int
    """Those that were compared, each signature once."""
    status: str | None
    """How it ended; None: its file has no summary."""
    is_cut: bool
    """Whether its last line is not whole; that one is left out."""


@final
@attrs.frozen(kw_only=True)
class Comparison:
    """What two runs have and have not in common."""

    baseline: RunSide
    experiment: RunSide
    common: int
    """Transactions in both."""
    identical: int
    """Of those, the ones that do not differ in anything that is compared."""
    counts: Mapping[Kind, int]
    """How many transactions differ, by how."""
    kept: Mapping[Kind, tuple[Difference, ...]]
    """The differences: balances, compute units and fees the largest first, all others by slot and signature; not more of each kind than
    was asked for."""

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        from ..report.cells import comparison_cell

        return comparison_cell(self)

    def has(self, *kinds: Kind) -> bool:
        """Tell whether there is any difference of these kinds, or of any kind where none is named."""
        return any(self.counts[kind] for kind in (kinds or Kind))

    def differences(self) -> Iterator[Difference]:
        """Yield what was kept, kind by kind."""
        for kind in Kind:
            yield from self.kept[kind]

    @property
    def table(self) -> Table:
        """The differences as a table, a row for each."""
        return Table("differences", _COLUMNS, lambda: (_row(one) for one in self.differences()))

    @property
    def balance_table(self) -> Table:
        """The balances that differ as a table, a row for each account."""
        return Table("balances", _BALANCE_COLUMNS, self._balance_rows)

    def _balance_rows(self) -> Iterator[tuple[object, ...]]:
        for one in self.kept[Kind.BALANCES]:
            for b in one.balances:
                yield one.slot, one.signature, b.account, b.mint, b.owner, b.decimals, b.baseline, b.experiment


_COLUMNS: Mapping[str, Column] = {
    "kind": "text",
    "slot": "u64",
    "signature": "text",
    "baseline": "text",
    "experiment": "text",
    "difference": "i64",
}
_BALANCE_COLUMNS: Mapping[str, Column] = {
    "slot": "u64",
    "signature": "text",
    "account": "text",
    "mint": "text",
    "owner": "text",
    "decimals": "u64",
    "baseline": "i64",
    "experiment": "i64",
}


def _row(one: Difference) -> tuple[object, ...]:
    sides = (None if side is None else str(side) for side in (one.baseline, one.experiment))
    is_number = isinstance(one.baseline, int) and isinstance(one.experiment, int)
    difference = int(one.experiment) - int(one.baseline) if is_number else None  # type: ignore[arg-type]
    return one.kind.value, one.slot, one.signature, *sides, difference
