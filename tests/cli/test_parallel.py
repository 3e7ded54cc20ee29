"""Parallel runs: the server splits the range, and every part is a session of its own."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
import trio

from simclient.cli import main
from simclient.errors import InputError
from simclient.local import LocalSimulator, open_local_simulator
from simclient.research import RunConfig, RunResult, read_run, run_backtest
from simclient.research.resuming import resumed_config
from simclient.wire.recording import DataMoment, RecordingDecoder
from simclient.wire.subscriptions import AccountDiffs, Transactions

from .bundles import FIRST_SLOT, SYSTEM_PROGRAM, write_payments
from .processes import process, serving, wait_for_text

HANG_SECONDS = 60.0
SLOTS = 20


async def run(path: Path, output: Path, *, start_slot: int = FIRST_SLOT, resumes: bool = False) -> RunResult:
    """Run in parts of five slots."""
    with trio.fail_after(HANG_SECONDS):
        async with open_local_simulator([path], split_slots=5) as simulator:
            if resumes:
                return await run_backtest(resumed_config(output, url=simulator.url))
            config = RunConfig(
                url=simulator.url,
                start_slot=start_slot,
                end_slot=FIRST_SLOT + SLOTS - 1,
                advance_slots=3,
                subscriptions=(Transactions(mentions=SYSTEM_PROGRAM), AccountDiffs(program=SYSTEM_PROGRAM)),
                is_parallel=True,
                output=output,
            )
            return await run_backtest(config)


def events(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def content(path: Path) -> list[str]:
    """Return the events of a file, whichever session and order they came by."""
    kept = [event for event in events(path) if event["type"] in ("tx", "diff")]
    for event in kept:
        del event["data"]["session_id"]
    return sorted(json.dumps(event) for event in kept)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_payments(tmp_path / "x.bundle", slots=SLOTS)


async def test_every_part_is_a_session_in_one_file(tmp_path: Path, bundle: Path) -> None:
    """In the order of their ranges; all counts are of the whole."""
    result = await run(bundle, tmp_path / "run.ndjson")

    starts = [(one.start_slot, one.end_slot) for one in read_run(tmp_path / "run.ndjson").sessions()]
    assert starts == [(FIRST_SLOT + n, FIRST_SLOT + n + 4) for n in range(0, SLOTS, 5)]
    assert (result.counts.slots, result.counts.transactions, result.counts.diffs) == (SLOTS, SLOTS, 2 * SLOTS)
    assert [one.status for one in result.counts.sessions] == ["completed"] * 4
    assert events(tmp_path / "run.ndjson")[-1]["data"]["total_transactions"] == SLOTS


async def test_what_lies_before_the_first_slot_is_left_out(tmp_path: Path, bundle: Path) -> None:
    """A part begins where its bundle does, which can be before the run."""
    result = await run(bundle, tmp_path / "run.ndjson", start_slot=FIRST_SLOT + 7)

    run_file = read_run(tmp_path / "run.ndjson")
    assert run_file.sessions()[0].start_slot == FIRST_SLOT + 5
    assert sorted(one.slot for one in run_file.transactions()) == list(range(FIRST_SLOT + 7, FIRST_SLOT + SLOTS))
    assert result.counts.slots == SLOTS - 7


async def test_only_the_parts_that_did_not_complete_are_run_again(tmp_path: Path, bundle: Path) -> None:
    """The file then has what a run without failures has, and its summary is of the whole."""
    output = tmp_path / "run.ndjson"
    whole = await run(bundle, output)
    before = content(output)
    lines = events(output)
    failed = lines[-1]["data"]["sessions"][1]
    lines[-1]["data"]["status"], failed["status"] = "failed", "failed"
    kept = [line for n, line in enumerate(lines) if line["data"].get("session_id") != failed["session_id"] or n % 2]
    output.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in kept), encoding="utf-8")
    assert content(output) != before

    resumed = await run(bundle, output, resumes=True)

    assert content(output) == before
    sessions = [(one.start_slot, one.end_slot) for one in read_run(output).sessions()]
    assert sessions[-1] == (FIRST_SLOT + 5, FIRST_SLOT + 9)
    assert len(sessions) <= 5
    assert resumed.wallets == whole.wallets
    told = events(output)[-1]["data"]
    assert (told["status"], told["slots"], told["total_transactions"], told["diffs"]) == (
        "completed",
        SLOTS,
        SLOTS,
        2 * SLOTS,
    )
    assert len(told["sessions"]) == 4


@pytest.mark.parametrize(("completed", "started_again"), [((), 4), ((1, 2), 2), ((0, 1, 3), 1)])
async def test_of_a_killed_run_the_parts_that_were_complete_are_kept(
    tmp_path: Path, bundle: Path, completed: tuple[int, ...], started_again: int
) -> None:
    """Each part says in the file that it has completed; the summary is of the whole."""
    output = tmp_path / "run.ndjson"
    await run(bundle, output)
    before, lines = content(output), events(output)
    parts = [one.session_id for one in read_run(output).sessions()]
    kept = {parts[number] for number in completed}
    lines = [
        line
        for number, line in enumerate(lines[:-1])
        if line["data"].get("session_id") in kept or (number % 2 and line["type"] in ("tx", "diff")) or number < 5
    ]
    output.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines), encoding="utf-8")
    assert content(output) != before

    await run(bundle, output, resumes=True)

    assert content(output) == before
    sessions = read_run(output).sessions()
    assert len(sessions) == 4 + started_again
    told = events(output)[-1]["data"]
    assert (told["status"], told["slots"], told["total_transactions"]) == ("completed", SLOTS, SLOTS)
    assert [one["status"] for one in told["sessions"]] == ["completed"] * 4


async def test_of_a_run_killed_before_its_summary_only_that_is_written(tmp_path: Path, bundle: Path) -> None:
    """Nothing is run again, and no server is asked: here there is none any more."""
    output = tmp_path / "run.ndjson"
    whole = await run(bundle, output)
    *lines, summary = output.read_bytes().splitlines(keepends=True)
    output.write_bytes(b"".join(lines) + summary[:50])

    with trio.fail_after(HANG_SECONDS):
        resumed = await run_backtest(resumed_config(output, url="ws://127.0.0.1:9/backtest"))

    *kept, _ = output.read_bytes().splitlines(keepends=True)
    assert kept == lines
    before, told = json.loads(summary)["data"], events(output)[-1]["data"]
    for key in ("status", "slots", "last_slot", "total_transactions", "successes", "diffs"):
        assert told[key] == before[key], key
    assert sorted(told["session_ids"]) == sorted(before["session_ids"])
    assert resumed.wallets == whole.wallets


def test_the_command_writes_only_the_summary_too(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, bundle: Path
) -> None:
    """On the embedded simulator; it is said as after any run, and there is nothing left then."""
    output = tmp_path / "run.ndjson"
    parallel = ["run", "--local", "--bundle", str(bundle), "--parallel"]
    assert main([*parallel, "--logs", SYSTEM_PROGRAM, "--output", str(output)]) == 0
    logs = events(output)[-1]["data"]["logs"]
    begun = read_run(output).sessions()
    assert len(begun) > 1
    lines = output.read_bytes().splitlines(keepends=True)[:-1]
    output.write_bytes(b"".join(lines))
    capfd.readouterr()

    assert main(["run", "--resume", str(output)]) == 0
    assert "completed" in capfd.readouterr().out
    assert output.read_bytes().splitlines(keepends=True)[:-1] == lines
    assert events(output)[-1]["data"]["logs"] == logs == SLOTS
    assert main(["run", "--resume", str(output)]) == 0
    assert "there is nothing left to run" in capfd.readouterr().out


def test_a_parallel_run_that_is_killed_goes_on_with_what_is_missing(tmp_path: Path, many_payments: Path) -> None:
    """Here the small one of two parts was complete; the other one is so much longer that it cannot be."""
    output, whole = tmp_path / "run.ndjson", tmp_path / "whole.ndjson"
    span = ["--start-slot", str(FIRST_SLOT), "--slots", "1500", "--transactions", SYSTEM_PROGRAM]
    with serving(many_payments, "--split-slots", "1450") as url:
        assert main(["run", url, *span, "--output", str(whole)]) == 0
        with process("run", url, *span, "--parallel", "--advance", "1", "--output", str(output)) as killed:
            wait_for_text(killed, output, b'"status":"completed"')
            killed.send_signal(signal.SIGKILL)
        begun = read_run(output).sessions()
        [missing] = [one for one in begun if one.status is None]
        assert read_run(output).summary() is None

        assert main(["run", "--resume", str(output)]) == 0

    assert content(output) == content(whole)
    again = read_run(output).sessions()
    assert again[:2] == begun
    assert [(one.start_slot, one.end_slot) for one in again[2:]] == [(missing.start_slot, missing.end_slot)]


def test_retry_failed_runs_the_failed_parts_of_the_embedded_simulator(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, bundle: Path
) -> None:
    """They begin where they began, whatever this machine would make of the range today."""
    output = tmp_path / "run.ndjson"
    watch = ["--transactions", SYSTEM_PROGRAM, "--output", str(output)]
    assert main(["run", "--local", "--bundle", str(bundle), "--parallel", *watch]) == 0
    before, lines = content(output), events(output)
    failed = lines[-1]["data"]["sessions"][-1]
    lines[-1]["data"]["status"], failed["status"] = "failed", "failed"
    kept = [line for line in lines if line["type"] != "tx" or line["data"]["session_id"] != failed["session_id"]]
    output.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in kept), encoding="utf-8")

    assert main(["run", "--retry-failed", str(output)]) == 0
    assert content(output) == before
    assert f"slots {failed['start_slot']} to {failed['end_slot']}" in capfd.readouterr().err


def test_a_parallel_run_cannot_be_attached_to() -> None:
    """Its parts can."""
    with pytest.raises(InputError, match="attach to its parts"):
        RunConfig(url="ws://x", start_slot=1, end_slot=2, is_parallel=True, attach="abc")


# Recordings


async def run_recorded(simulator: LocalSimulator, folder: Path, output: Path) -> RunResult:
    """Run over all parts that a simulator offers, and record them."""
    config = RunConfig(
        url=simulator.url,
        start_slot=FIRST_SLOT,
        end_slot=FIRST_SLOT + SLOTS - 1,
        advance_slots=3,
        subscriptions=(Transactions(mentions=SYSTEM_PROGRAM), AccountDiffs(program=SYSTEM_PROGRAM)),
        is_parallel=True,
        output=output,
        record=folder,
    )
    with trio.fail_after(HANG_SECONDS):
        return await run_backtest(config)


def messages(folder: Path) -> dict[str, list[bytes]]:
    """Return the notifications of each recording of a folder, as they came, those of its two sockets one after the other."""
    found = {}
    for path in sorted(folder.iterdir()):
        decoder = RecordingDecoder()
        moments = [moment for chunk in decoder.feed(path.read_bytes()) for moment in chunk.moments]
        assert decoder.end is not None
        assert decoder.end.status == "completed"
        notes = [moment.message for moment in moments if isinstance(moment, DataMoment)]
        found[path.name] = sorted(notes, key=lambda note: str(json.loads(note)["method"]))
    return found


async def test_a_parallel_run_is_recorded_and_had_again(tmp_path: Path, bundle: Path) -> None:
    """Each part has a recording of its own in one folder; the folder is served again, and every part gives the same bytes."""
    first, second = tmp_path / "first", tmp_path / "second"
    async with open_local_simulator([bundle], split_slots=5) as simulator:
        ran = await run_recorded(simulator, first, tmp_path / "first.ndjson")
    async with open_local_simulator(recordings=[first]) as simulator:
        again = await run_recorded(simulator, second, tmp_path / "second.ndjson")

    assert list(messages(first)) == [
        f"{start}-{start + 4}.recording" for start in range(FIRST_SLOT, FIRST_SLOT + SLOTS, 5)
    ]
    assert sum(map(len, messages(first).values())) == 3 * SLOTS
    assert messages(second) == messages(first)
    assert content(tmp_path / "second.ndjson") == content(tmp_path / "first.ndjson")
    assert again.counts.slots == ran.counts.slots == SLOTS


def test_the_recordings_of_a_parallel_run_can_be_looked_at(
    tmp_path: Path, bundle: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """`bundle info` of the folder says what is in each; what is not there, and what is there already, is said in one line."""
    folder, empty = tmp_path / "parts", tmp_path / "empty"
    command = ["run", "--local", "--bundle", str(bundle), "--parallel", "--logs", SYSTEM_PROGRAM, "--record"]
    assert main([*command, str(folder)]) == 0
    assert main(["bundle", "info", str(folder)]) == 0
    assert capfd.readouterr().out.count("ended: completed") == len(list(folder.iterdir()))
    assert main([*command, str(folder)]) == 2
    assert "there are recordings in it already; name another folder" in capfd.readouterr().err
    assert main([*command, str(bundle)]) == 2
    assert "a parallel run is recorded into a folder" in capfd.readouterr().err
    empty.mkdir()
    assert main(["local", "--replay", str(empty)]) == 2
    assert "no file *.recording in it" in capfd.readouterr().err
