"""How one transaction differs between two lines that are not the same.

Logs, balances and errors are compared as the bytes they are, and only read where those differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from ..records import SolChange, TokenChange
from .values import BalanceDifference, Difference, Filters, Kind, LineDifference

__all__ = ["Line", "decode_line", "differences_of", "one_sided"]


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


def decode_line(line: bytes) -> Line:
    """Return the transaction of a line.

    Raises:
        msgspec.DecodeError: The line is damaged.
    """
    return _LINE.decode(line).data


def one_sided(kind: Kind, line: Line) -> Difference:
    """Return the difference of a transaction that only one run has."""
    is_missing = kind is Kind.MISSING
    return Difference(
        kind=kind,
        slot=line.slot,
        signature=line.signature,
        baseline=line.error if is_missing else None,
        experiment=None if is_missing else line.error,
        success=line.success,
    )


def differences_of(a: Line, b: Line, filters: Filters) -> Iterator[Difference]:
    """Yield every way in which the experiment's `b` differs from the baseline's `a`."""
    if a.success != b.success:
        kind = Kind.REGRESSION if a.success else Kind.IMPROVEMENT
        yield Difference(kind=kind, slot=a.slot, signature=a.signature, baseline=a.error, experiment=b.error)
    else:
        yield from _same_outcome(a, b, filters)

    if a.fee != b.fee and a.fee is not None and b.fee is not None:
        yield Difference(kind=Kind.FEE, slot=a.slot, signature=a.signature, baseline=a.fee, experiment=b.fee)


def _same_outcome(a: Line, b: Line, filters: Filters) -> Iterator[Difference]:
    """Yield how two transactions differ that both succeeded, or both failed."""
    if not a.success and (a.error != b.error or _differ(a.err, b.err)):
        yield Difference(kind=Kind.ERROR, slot=a.slot, signature=a.signature, baseline=_error(a), experiment=_error(b))
    if a.success and (_differ(a.sol_changes, b.sol_changes) or _differ(a.token_changes, b.token_changes)):
        balances = _balances(a, b, filters)
        if balances:
            yield Difference(kind=Kind.BALANCES, slot=a.slot, signature=a.signature, balances=balances)
    if _differ(a.logs, b.logs):
        yield from _logs(a, b)
    before, after = a.compute_units, b.compute_units
    if before is not None and after is not None and abs(after - before) > filters.min_compute_units:
        yield Difference(kind=Kind.COMPUTE_UNITS, slot=a.slot, signature=a.signature, baseline=before, experiment=after)


def _differ(a: msgspec.Raw, b: msgspec.Raw) -> bool:
    return bytes(a) != bytes(b)


def _error(line: Line) -> str:
    return line.error or bytes(line.err).decode()


def _logs(a: Line, b: Line) -> Iterator[Difference]:
    """Yield the difference of two logs, if they part anywhere."""
    before, after = _LOGS.decode(a.logs), _LOGS.decode(b.logs)
    shorter = min(len(before), len(after))
    index = next((i for i in range(shorter) if before[i] != after[i] and not _same_line(before[i], after[i])), shorter)
    if index == len(before) == len(after):
        return

    yield Difference(
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
