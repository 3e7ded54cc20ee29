"""`simclient compare`: what two runs have and have not in common."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from .options import FLAG, REPEATABLE, check_replaces_none

__all__ = ["compare"]

_DIFFERENCES_EXIT_CODE = 3
_SHOWN = 10
"""Of each kind, where no section is named."""

Section = Literal[
    "regressions", "improvements", "errors", "balances", "logs", "compute-units", "fees", "missing", "extra"
]
Gate = Literal[
    "any", "regressions", "improvements", "errors", "balances", "logs", "compute-units", "fees", "missing", "extra"
]


def compare(
    baseline: Path,
    experiment: Path,
    section: Section | None = None,
    /,
    *,
    fail_on: Annotated[tuple[Gate, ...], REPEATABLE] = (),
    start_slot: int | None = None,
    end_slot: int | None = None,
    mentions: Annotated[tuple[str, ...], REPEATABLE] = (),
    min_compute_units: int = 0,
    min_balance_percent: float = 0.0,
    limit: int | None = None,
    json: Annotated[bool, FLAG] = False,
    parquet: Annotated[Path | None, Parameter(name="--parquet")] = None,
) -> int:
    """Compare two runs transaction by transaction, from their files alone.

    $ simclient compare baseline.ndjson experiment.ndjson
    $ simclient compare baseline.ndjson experiment.ndjson balances --limit 50
    $ simclient compare baseline.ndjson experiment.ndjson --fail-on regressions --fail-on missing
    $ simclient compare baseline.ndjson experiment.ndjson --json | jq .summary

    Reads files of `simclient run` and of `sim run`, plain or .zst, also such as are larger than memory.
    Exit code 3 says that there are differences of a kind that --fail-on names.

    Args:
        baseline: The file of the run that the other one is compared with.
        experiment: The file of the other run.
        section: Show only the differences of one kind, all of them.
        fail_on: A kind of difference that makes the exit code 3, or `any`. Repeatable.
        start_slot: Compare only transactions from this slot on.
        end_slot: Compare only transactions up to this slot, inclusive.
        mentions: An address (program, wallet, account, mint): compare only transactions whose line has it. Repeatable.
        min_compute_units: Differences of so many compute units, or fewer, are none.
        min_balance_percent: Changes of a balance that differ by at most so much are the same.
        limit: How many differences of each kind are shown: 10 by default, all with a section or --json.
        json: Print JSON with the keys of `sim compare`, and more.
        parquet: Also write the differences to a Parquet file, a row for each.

    Raises:
        InputError: A file is no file of a run, or damaged; or a value cannot be used.
    """
    from ..errors import InputError
    from ..research.comparison import Filters, Kind, compare_runs
    from . import compare_output

    if limit is not None and limit < 1:
        raise InputError(f"--limit {limit}: 1 is the least")
    if parquet is not None:
        check_replaces_none("--parquet", parquet, (baseline, experiment))

    filters = Filters(
        start_slot=start_slot,
        end_slot=end_slot,
        mentions=mentions,
        min_compute_units=min_compute_units,
        min_relative_balance=min_balance_percent / 100,
    )
    shows_all = json or section is not None or parquet is not None
    kept = limit if limit is not None or shows_all else _SHOWN
    comparison = compare_runs(baseline, experiment, filters=filters, limit=kept)
    if parquet is not None:
        from ..research.parquet import write_table

        write_table(comparison.table, parquet)

    kind = None if section is None else Kind(section)
    if json:
        compare_output.print_json(comparison, kind)
    else:
        compare_output.print_text(comparison, kind)

    gates = [] if "any" in fail_on else [Kind(gate) for gate in fail_on]
    return _DIFFERENCES_EXIT_CODE if fail_on and comparison.has(*gates) else 0
