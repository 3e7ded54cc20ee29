"""How one transaction differs between two lines that are not the same.

Logs, balances and errors are compared as the bytes they are, and only read where those differ.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import final

import msgspec

from ..records import RunFileError, SolChange, TokenChange
from .collect import Collector, Tally
from .values import BalanceDifference, Difference, Filters, Kind, LineDifference

__all__ = ["Line", "PairComparison", "add_one_sided", "decode_line"]


class Line(msgspec.Struct, frozen=True, gc=False):
    """A transaction as its line says it, the long parts unread."""

    slot: int
    signature: str
    success: bool
    error: str | None = None
    logs: msgspec.Raw = msgspec.Raw(b"[]")
    sol_changes: msgspec.Raw = msgspec.Raw(b"[]")
    token_changes: msgspec.Raw = msgspec.Raw(b"[]")
    fee: int | None = None
    compute_units: int | None = None
    err: msgspec.Raw = msgspec.Raw(b"null")


class _Envelope(msgspec.Struct, frozen=True, gc=False):
    data: Line


_LINE = msgspec.json.Decoder(_Envelope)
_LOGS = msgspec.json.Decoder(list[str])
_SOL_CHANGES = msgspec.json.Decoder(list[SolChange])
_TOKEN_CHANGES = msgspec.json.Decoder(list[TokenChange])
_CONSUMED = re.compile(r" consumed \d+ of \d+ compute units$")
"""The runtime's own line after each instruction: compute units are compared apart."""


def decode_line(line: bytes | memoryview, path: Path, offset: int) -> Line:
    """Return the transaction of a line that stands at this byte of a file.

    Raises:
        RunFileError: The line is damaged.
    """
    try:
        return _LINE.decode(line).data
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RunFileError(f"{path} is damaged: byte {offset}: {error}") from error


def add_one_sided(collector: Collector, kind: Kind, line: Line) -> None:
    """Take a transaction that only one run has."""
    tally = collector[kind]
    if not tally.wants(line.slot):
        return

    is_missing = kind is Kind.MISSING
    tally.add(
        Difference(
            kind=kind,
            slot=line.slot,
            signature=line.signature,
            baseline=line.error if is_missing else None,
            experiment=None if is_missing else line.error,
            success=line.success,
        )
    )


@final
class PairComparison:
    """Compares transaction after transaction; what a collector does not want is counted and not put into words."""

    def __init__(self, collector: Collector, filters: Filters) -> None:
        self._filters = filters
        self._collector = collector
        self._regressions, self._improvements = collector[Kind.REGRESSION], collector[Kind.IMPROVEMENT]
        self._errors, self._logs, self._balances = collector[Kind.ERROR], collector[Kind.LOGS], collector[Kind.BALANCES]
        self._compute_units, self._fees = collector[Kind.COMPUTE_UNITS], collector[Kind.FEE]

    def compare(self, a: Line, b: Line) -> None:
        """Take every way in which the experiment's `b` differs from the baseline's `a`."""
        is_same = self._has_same_outcome(a, b)
        if is_same:
            is_same = not (self._differ_in_errors(a, b) | self._differ_in_balances(a, b) | self._differ_in_logs(a, b))
            is_same &= not self._differ_in_numbers(
                self._compute_units,
                Kind.COMPUTE_UNITS,
                a,
                a.compute_units,
                b.compute_units,
                self._filters.min_compute_units,
            )
        is_same &= not self._differ_in_numbers(self._fees, Kind.FEE, a, a.fee, b.fee, 0)
        self._collector.identical += is_same

    def _has_same_outcome(self, a: Line, b: Line) -> bool:
        """Tell whether both succeeded, or both failed."""
        if a.success == b.success:
            return True

        tally = self._regressions if a.success else self._improvements
        if tally.wants(a.slot):
            kind = Kind.REGRESSION if a.success else Kind.IMPROVEMENT
            tally.add(Difference(kind=kind, slot=a.slot, signature=a.signature, baseline=a.error, experiment=b.error))
        return False

    def _differ_in_errors(self, a: Line, b: Line) -> bool:
        if a.success or (a.error == b.error and a.err == b.err):
            return False

        if self._errors.wants(a.slot):
            self._errors.add(
                Difference(
                    kind=Kind.ERROR, slot=a.slot, signature=a.signature, baseline=_error(a), experiment=_error(b)
                )
            )
        return True

    def _differ_in_balances(self, a: Line, b: Line) -> bool:
        if not a.success or (a.sol_changes == b.sol_changes and a.token_changes == b.token_changes):
            return False

        balances = _balances(a, b, self._filters)
        if not balances:
            return False

        difference = Difference(kind=Kind.BALANCES, slot=a.slot, signature=a.signature, balances=balances)
        if self._balances.wants(a.slot, difference.size):
            self._balances.add(difference)
        return True

    def _differ_in_logs(self, a: Line, b: Line) -> bool:
        if a.logs == b.logs:
            return False

        before, after = _LOGS.decode(a.logs), _LOGS.decode(b.logs)
        if len(before) == len(after) and _parting(before, after) is None:
            return False

        if self._logs.wants(a.slot):
            self._logs.add(_log_difference(a, before, after))
        return True

    def _differ_in_numbers(
        self, tally: Tally, kind: Kind, a: Line, before: int | None, after: int | None, least: int
    ) -> bool:
        if before == after or before is None or after is None:
            return False

        size = abs(after - before)
        if size <= least:
            return False

        if tally.wants(a.slot, size):
            tally.add(Difference(kind=kind, slot=a.slot, signature=a.signature, baseline=before, experiment=after))
        return True


def _error(line: Line) -> str:
    return line.error or bytes(line.err).decode()


def _parting(before: list[str], after: list[str]) -> int | None:
    """Return the first line in which two logs part; None: in none."""
    for index, (a, b) in enumerate(zip(before, after, strict=False)):
        if a != b and not _same_line(a, b):
            return index

    return None if len(before) == len(after) else min(len(before), len(after))


def _log_difference(a: Line, before: list[str], after: list[str]) -> Difference:
    """Return the difference of two logs that part somewhere."""
    index = _parting(before, after) or 0
    return Difference(
        kind=Kind.LOGS,
        slot=a.slot,
        signature=a.signature,
        baseline=len(before),
        experiment=len(after),
        line=LineDifference(
            index=index,
            baseline=before[index] if index < len(before) else None,
            experiment=after[index] if index < len(after) else None,
        ),
    )


def _same_line(a: str, b: str) -> bool:
    """Tell whether two lines differ in consumed compute units only."""
    return a.endswith("compute units") and _CONSUMED.sub("", a) == _CONSUMED.sub("", b)


def _balances(a: Line, b: Line, filters: Filters) -> tuple[BalanceDifference, ...]:
    """Return the accounts whose balances changed by other amounts, the largest relative differences first."""
    before, after = _deltas(a), _deltas(b)
    found: list[BalanceDifference] = []
    for key in before.keys() | after.keys():
        known = before.get(key) or after[key]
        baseline, experiment = (side[key][0] if key in side else 0 for side in (before, after))
        if abs(experiment - baseline) > filters.min_relative_balance * max(abs(baseline), abs(experiment)):
            account, mint = key
            found.append(
                BalanceDifference(
                    account=account,
                    mint=mint,
                    owner=known[1],
                    decimals=known[2],
                    baseline=baseline,
                    experiment=experiment,
                )
            )
    return tuple(
        sorted(found, key=lambda one: (-abs(one.delta) / max(abs(one.baseline), 1), one.account, one.mint or ""))
    )


def _deltas(line: Line) -> dict[tuple[str, str | None], tuple[int, str | None, int]]:
    """Return by account and mint how much it changed, the wallet, and the decimals."""
    deltas: dict[tuple[str, str | None], tuple[int, str | None, int]] = {
        (sol.pubkey, None): (sol.post_lamports - sol.pre_lamports, None, 9)
        for sol in _SOL_CHANGES.decode(line.sol_changes)
    }
    for token in _TOKEN_CHANGES.decode(line.token_changes):
        key = token.pubkey, token.mint
        deltas[key] = (
            token.post_amount - token.pre_amount + (deltas[key][0] if key in deltas else 0),
            token.owner or None,
            token.decimals,
        )
    return deltas
