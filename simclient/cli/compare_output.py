"""How a comparison looks: as text for people, as JSON with the keys of `sim compare` for programs."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from ..research.comparison import Comparison, Difference, Kind
from ..research.comparison.values import BalanceDifference, RunSide
from ..wire.program_address import NATIVE_MINT
from .amounts import asset, short_address, signed_amount
from .terminal import clean, print_json_text, result_console

__all__ = ["json_of", "print_json", "print_text"]

_TITLES = {
    Kind.REGRESSION: "Regressions: succeeded, and now fail",
    Kind.IMPROVEMENT: "Improvements: failed, and now succeed",
    Kind.ERROR: "Other errors: fail in both, in different ways",
    Kind.BALANCES: "Balances: changed by other amounts, the largest relative differences first",
    Kind.LOGS: "Logs: differ in more than consumed compute units",
    Kind.COMPUTE_UNITS: "Compute units: the largest differences first",
    Kind.FEE: "Fees: the largest differences first",
    Kind.MISSING: "Missing: only in the baseline",
    Kind.EXTRA: "Extra: only in the experiment",
}


def print_text(comparison: Comparison, section: Kind | None) -> None:
    """Print the counts and the foremost differences, or those of one kind."""
    console = result_console()
    for name, side in (("baseline", comparison.baseline), ("experiment", comparison.experiment)):
        console.print(f"{name}: {_describe_side(side)}", soft_wrap=True)
    console.print(f"in both: {comparison.common:,}, of which {comparison.identical:,} are the same", soft_wrap=True)
    for kind in Kind if section is None else (section,):
        _print_kind(console, comparison, kind)
    console.print(_describe_counts(comparison), soft_wrap=True)


def print_json(comparison: Comparison, section: Kind | None) -> None:
    """Print everything, or the list of one kind."""
    whole = json_of(comparison)
    chosen = whole if section is None else whole[_JSON_KEYS[section]]
    print_json_text(chosen)


def json_of(comparison: Comparison) -> dict[str, object]:
    """Return a comparison in the shape of `sim compare --json`; its keys are all there, ours are added."""
    lists = {_JSON_KEYS[kind]: [_json(one) for one in comparison.kept[kind]] for kind in Kind}
    return {
        "baseline": comparison.baseline.path,
        "experiment": comparison.experiment.path,
        "baseline_transactions": comparison.baseline.transactions,
        "experiment_transactions": comparison.experiment.transactions,
        "common_transactions": comparison.common,
        "identical_transactions": comparison.identical,
        **lists,
        "summary": {_JSON_KEYS[kind]: comparison.counts[kind] for kind in Kind},
    }


_JSON_KEYS = {
    Kind.REGRESSION: "regressions",
    Kind.IMPROVEMENT: "improvements",
    Kind.ERROR: "error_diffs",
    Kind.BALANCES: "balance_diffs",
    Kind.LOGS: "log_diffs",
    Kind.COMPUTE_UNITS: "compute_unit_diffs",
    Kind.FEE: "fee_diffs",
    Kind.MISSING: "missing",
    Kind.EXTRA: "extra",
}


def _json(one: Difference) -> object:
    """Return one difference as `sim` writes it."""
    place: dict[str, object] = {"slot": one.slot, "signature": one.signature}
    match one.kind:
        case Kind.REGRESSION:
            return place | {"error": one.experiment}
        case Kind.IMPROVEMENT:
            return place | {"was": one.baseline}
        case Kind.LOGS:
            line = one.line
            return place | {
                "baseline_log_count": one.baseline,
                "experiment_log_count": one.experiment,
                "first_difference": None
                if line is None
                else {"index": line.index, "baseline": line.baseline, "experiment": line.experiment},
            }
        case Kind.BALANCES:
            sol = [_json_balance(balance) for balance in one.balances if balance.mint is None]
            tokens = [_json_balance(balance) for balance in one.balances if balance.mint is not None]
            return place | {"sol": sol, "tokens": tokens}
        case Kind.MISSING | Kind.EXTRA:
            return one.signature
        case _:
            return place | {"baseline": one.baseline, "experiment": one.experiment}


def _json_balance(one: BalanceDifference) -> dict[str, object]:
    deltas: dict[str, object] = {"baseline_delta": one.baseline, "experiment_delta": one.experiment}
    if one.mint is None:
        return {"pubkey": one.account, **deltas}

    symbol = "WSOL" if one.mint == NATIVE_MINT else "TOK"
    token = {"mint": one.mint, "owner": one.owner, "symbol": symbol, "decimals": one.decimals}
    return {"pubkey": one.account, **token, **deltas}


def _describe_side(side: RunSide) -> str:
    parts = [f"{clean(side.path)}", f"{side.transactions:,} transactions"]
    parts.append(f"slots {side.metadata.start_slot} to {side.metadata.end_slot}")
    if side.status not in (None, "completed"):
        parts.append(f"the run was {clean(side.status or '')}")
    if side.is_cut:
        parts.append("its last line is cut and was left out")
    return ", ".join(parts)


def _print_kind(console: Console, comparison: Comparison, kind: Kind) -> None:
    """Print what was kept of one kind."""
    kept, count = comparison.kept[kind], comparison.counts[kind]
    if not count:
        return

    console.print(f"\n{_TITLES[kind]} ({count:,})", style="bold", soft_wrap=True)
    for one in kept:
        console.print(Text(f"  slot {one.slot}  {_name(console, one)}"), _detail(one), soft_wrap=True)
        for balance in one.balances:
            _print_balance(console, balance)
    if len(kept) < count:
        console.print(f"  and {count - len(kept):,} more: simclient compare … {kind.value}", soft_wrap=True)


def _name(console: Console, one: Difference) -> str:
    return short_address(one.signature, is_short=console.is_terminal)


def _detail(one: Difference) -> str:
    """Return what is different, on one line."""
    match one.kind:
        case Kind.REGRESSION:
            return clean(str(one.experiment or "unknown error"))
        case Kind.IMPROVEMENT:
            return f"was: {clean(str(one.baseline or 'unknown error'))}"
        case Kind.ERROR:
            return f"{clean(str(one.baseline))} -> {clean(str(one.experiment))}"
        case Kind.MISSING | Kind.EXTRA:
            return "succeeded" if one.success else clean(f"failed: {one.baseline or one.experiment or 'unknown error'}")
        case Kind.LOGS:
            return f"{one.baseline} -> {one.experiment} lines{_first_line(one)}"
        case Kind.COMPUTE_UNITS | Kind.FEE:
            assert isinstance(one.baseline, int)
            assert isinstance(one.experiment, int)
            return f"{one.baseline:,} -> {one.experiment:,} ({one.experiment - one.baseline:+,}{_percent(one.baseline, one.experiment)})"
        case Kind.BALANCES:
            return ""


def _first_line(one: Difference) -> str:
    if one.line is None:
        return ""

    sides = (f"“{clean(side)}”" if side is not None else "the end" for side in (one.line.baseline, one.line.experiment))
    return f", from line {one.line.index + 1}: {' -> '.join(sides)}"


def _print_balance(console: Console, one: BalanceDifference) -> None:
    is_short = console.is_terminal
    name = asset(one.mint, is_short=is_short)
    who = short_address(one.owner or one.account, is_short=is_short)
    change = f"{signed_amount(one.baseline, one.decimals)} -> {signed_amount(one.experiment, one.decimals)}"
    console.print(f"    {name}  {who}  {change}{_in_brackets(one)}", soft_wrap=True)


def _in_brackets(one: BalanceDifference) -> str:
    percent = _percent(one.baseline, one.experiment)
    return f" ({percent.removeprefix(', ')})" if percent else " (new)"


def _percent(baseline: int, experiment: int) -> str:
    return f", {100 * (experiment - baseline) / abs(baseline):+.2f} %" if baseline else ""


def _describe_counts(comparison: Comparison) -> str:
    """Return the counts of all kinds on one line."""
    counts = ", ".join(f"{comparison.counts[kind]:,} {kind.value}" for kind in Kind)
    return f"\nsummary: {counts}"
