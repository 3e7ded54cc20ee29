"""The tables of the documentation, as Markdown, from the figures of one run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .results import Result

__all__ = ["write_tables"]

_OURS = "simclient (read)"
_FOUR = "simclient (read, 4 subscriptions)"
_OTHERS = ("Rust client", "trio-websocket", "websockets", "solana-py")
_CONSUMERS = {
    "simclient (count)": "`async for`, counts",
    _OURS: "`async for`, reads slot, account, lamports",
    "simclient (decode)": "… and the account's bytes",
    "simclient-batches (count)": "`batches()`, counts",
    "simclient-batches (read)": "`batches()`, reads the same",
    "simclient-arrow (read)": "`arrow_batches()`, every column",
}


def write_tables(results: Iterable[Result]) -> str:
    """Return what `docs/explanation/performance.md` includes."""
    by_name = {(result.name, result.unit): result for result in results if result.ratio is None or result.unit == "ms"}
    groups = list(dict.fromkeys(name.split(": ")[0] for name, unit in by_name if unit == "events/s"))
    parts = [
        "## Next to other clients\n",
        "Events per second in the user's code; in brackets how many times as many simclient gets.\n",
        _clients(by_name, groups),
        "CPU seconds per million events, in brackets how many times what simclient takes, and peak memory in MiB.\n",
        _costs(by_name, groups),
        "## What each way of reading costs\n",
        "CPU seconds per million account diffs, the kernel's part included.\n",
        _consumers(by_name),
        "## Control events under load\n",
        _table(("", "figure"), [(result.name, f"{result.value:.2f} {result.unit}") for result in _prompt(by_name)]),
        "## Where the microseconds go\n",
        "CPU time of one account diff, without sockets, in µs.\n",
        _anatomy(by_name),
        "What no reader in Python can avoid, each on its own, in µs.\n",
        _floor(by_name),
    ]
    return "\n".join(parts)


_Figures = dict[tuple[str, str], Result]


def _clients(figures: _Figures, groups: Sequence[str]) -> str:
    rows: list[tuple[str, ...]] = []
    for group in groups:
        ours = figures[f"{group}: {_OURS}", "events/s"].value
        row = [group, f"**{ours:,.0f}**", f"{figures[f'{group}: {_FOUR}', 'events/s'].value:,.0f}"]
        for other in _OTHERS:
            found = figures.get((f"{group}: {other} (read)", "events/s"))
            row.append("" if found is None else f"{found.value:,.0f} ({ours / found.value:.1f} x)")
        rows.append(tuple(row))
    return _table(("stream", "simclient", "4 subscriptions", *_OTHERS), rows)


def _costs(figures: _Figures, groups: Sequence[str]) -> str:
    rows: list[tuple[str, ...]] = []
    for group in groups:
        ours = figures[f"{group}: {_OURS}", "CPU s/M"].value
        row = [group]
        for program in (_OURS, _FOUR, *(f"{other} (read)" for other in _OTHERS)):
            cpu = figures.get((f"{group}: {program}", "CPU s/M"))
            peak = figures.get((f"{group}: {program}", "MiB peak"))
            ratio = "" if cpu is None or program == _OURS else f" ({cpu.value / ours:.1f} x)"
            row.append("" if cpu is None or peak is None else f"{cpu.value:.1f} s{ratio}, {peak.value:.0f}")
        rows.append(tuple(row))
    return _table(("stream", "simclient", "4 subscriptions", *_OTHERS), rows)


def _consumers(figures: _Figures) -> str:
    rows: list[tuple[str, ...]] = []
    for program, what in _CONSUMERS.items():
        row = [what]
        for group in ("account diffs 600 B, plain", "account diffs 4 KB, plain"):
            found = figures.get((f"{group}: {program}", "CPU s/M"))
            row.append("" if found is None else f"{found.value:.2f}")
        rows.append(tuple(row))
    return _table(("consumer", "600 B", "4 KB"), rows)


def _prompt(figures: _Figures) -> list[Result]:
    return [
        result for (name, _), result in figures.items() if name.startswith(("control", "connections", "notification"))
    ]


def _anatomy(figures: _Figures) -> str:
    columns = ("600 B, plain", "600 B, zstd", "4096 B, plain", "4096 B, zstd")
    stages = ("cut frames", "decompress", "decode", "check cursors", "iterate")
    rows: list[tuple[str, ...]] = []
    for stage in stages:
        found = [figures.get((f"share of account diffs {column}: {stage}", "µs")) for column in columns]
        rows.append((stage, *("" if one is None else f"{max(0.0, one.value):.2f}" for one in found)))
    return _table(("stage", *columns), rows)


def _floor(figures: _Figures) -> str:
    sizes = ("600 B", "4096 B")
    rows: list[tuple[str, ...]] = []
    for step in ("receive from the kernel", "copy", "scan as JSON", "scan as JSON, make objects"):
        found = [figures[f"floor of account diffs {size}: {step}", "µs"] for size in sizes]
        rows.append((step, *(f"{one.value:.2f}" for one in found)))
    return _table(("step", *sizes), rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"
