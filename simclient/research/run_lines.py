"""The lines of an output file that speak about the run itself: metadata, session_started and summary.

Source: the file format of sim-cli 0.21.0; see `ndjson` for the rules. Our own keys of the metadata say how the file came about (versions,
URL, parameters), so that a run can be repeated from its file; no key is ever among them.
"""

from __future__ import annotations

import time

from ..wire.discovery import ProgramExecuted
from ..wire.subscriptions import (
    AccountDiffs,
    Actions,
    Diagnostics,
    Logs,
    Replacements,
    Subscription,
    Transactions,
)
from ..wire.urls import control_url, redact
from .ndjson import JsonValue, line
from .values import RunConfig, RunResult, StartedRun
from .versions import installed_versions

__all__ = ["metadata_line", "session_started_line", "summary_line"]


def metadata_line(config: RunConfig) -> bytes:
    """Return the first line of the file."""
    watched = _watched(config.subscriptions)
    programs = dict.fromkeys((*watched["transactions"], *watched["account_diffs"], *watched["logs"]))
    data: dict[str, JsonValue] = {"start_slot": config.start_slot, "end_slot": config.end_slot}
    if programs:
        data["program_ids"] = list(programs)
    if config.programs:
        data["program_so"] = [one.source for one in config.programs]
    data |= {
        "ran_at_unix_secs": int(time.time()),
        "tool": "simclient",
        "versions": dict(installed_versions()),
        "url": redact(control_url(config.url)),
        "parameters": {
            "advance_slots": config.advance_slots,
            "extra_compute_units": config.extra_compute_units,
            "send_summary": config.send_summary,
            "write_logs": config.write_logs,
            "write_instructions": config.write_instructions,
            "name": config.name,
            "parallel": config.is_parallel,
            "discover": [one.program for one in config.discoveries if isinstance(one, ProgramExecuted)],
            "programs": [
                {"program": one.program, "source": one.source, "sha256": one.sha256} for one in config.programs
            ],
            "account_overrides": None
            if config.account_overrides is None
            else {
                "source": config.account_overrides.source,
                "sha256": config.account_overrides.sha256,
                "accounts": list(config.account_overrides.accounts),
            },
            **watched,
        },
        "origin": dict(config.origin),
    }
    return line("metadata", data)


def session_started_line(run: StartedRun, *, completed_slots: int | None = None) -> bytes:
    """Return the line that names a session.

    Args:
        run: The session.
        completed_slots: How many slots it has executed, if it has completed.
    """
    data: dict[str, JsonValue] = {"session_id": run.session_id}
    if run.session_name is not None:
        data["session_name"] = run.session_name
    if run.task_id is not None:
        data["task_id"] = run.task_id
    data |= {"start_slot": run.start_slot, "end_slot": run.end_slot}
    if completed_slots is not None:
        data |= {"status": "completed", "slots": completed_slots}
    return line("session_started", data)


def summary_line(result: RunResult) -> bytes:
    """Return the last line of the file."""
    counts = result.counts
    received = counts.transactions + counts.diffs + counts.logs + counts.others
    data: dict[str, JsonValue] = {
        "total_transactions": counts.transactions,
        "successes": counts.successes,
        "failures": counts.failures,
        "diagnostics": {
            "received": received + counts.duplicates_dropped,
            "dedup_swallowed": counts.duplicates_dropped,
            "malformed_dropped": 0,  # a malformed notification breaks the stream: it is asked for again, not dropped
            "reconnects": counts.reconnects,
        },
    }
    if result.started is not None:
        data["session_ids"] = [session.session_id for session in counts.sessions]
        if result.started.session_name is not None:
            data["session_name"] = result.started.session_name
    return line("summary", data | _outcome(result))


def _outcome(result: RunResult) -> dict[str, JsonValue]:
    """Return the keys that we add to a summary."""
    counts = result.counts
    outcome: dict[str, JsonValue] = {
        "status": result.status.value,
        "reason": result.reason,
        "slots": counts.slots,
        "last_slot": counts.last_slot,
        "diffs": counts.diffs,
        "logs": counts.logs,
        "discoveries": counts.discoveries,
        "others": counts.others,
        "errors": counts.errors,
        "bytes_received": counts.bytes_received,
        "elapsed_seconds": round(counts.elapsed_seconds, 3),
        "sessions": [
            {
                "session_id": one.session_id,
                "start_slot": one.start_slot,
                "end_slot": one.end_slot,
                "status": one.status,
                "reason": one.reason,
                "slots": one.slots,
            }
            for one in counts.sessions
        ],
        "progress": [
            {
                "seconds": round(one.elapsed_seconds, 3),
                "slots": one.slots,
                "transactions": one.transactions,
                "diffs": one.diffs,
                "logs": one.logs,
            }
            for one in result.progress
        ],
    }
    compared = result.compared
    if compared is not None:
        outcome["compared"] = {
            "correct_simulation": compared.correct_simulation,
            "incorrect_simulation": compared.incorrect_simulation,
            "execution_errors": compared.execution_errors,
            "balance_diff": compared.balance_diff,
            "log_diff": compared.log_diff,
        }
    return outcome


def _watched(subscriptions: tuple[Subscription, ...]) -> dict[str, list[str]]:
    """Return the addresses that are watched, by what is watched of them."""
    watched: dict[str, list[str]] = {"account_diffs": [], "accounts": [], "logs": [], "transactions": []}
    for subscription in subscriptions:
        match subscription:
            case AccountDiffs(program=programs, account=accounts):
                watched["account_diffs"] += programs
                watched["accounts"] += accounts
            case Logs(mentions=mentions):
                watched["logs"] += mentions
            case Transactions(mentions=mentions):
                watched["transactions"] += mentions
            case Actions() | Diagnostics() | Replacements():
                pass  # of the session as a whole
    return watched
