"""The vectors that the real types printed, kept compressed beside this file."""

from __future__ import annotations

from pathlib import Path

import pytest
import zstandard

from simclient.testing.vectors import check_file, main

_VECTORS = Path(__file__).parent / "vectors"
_NAMES = ("v09.jsonl", "v28.jsonl", "client09.jsonl")


def _unpacked(name: str, folder: Path) -> Path:
    path = folder / name
    path.write_bytes(zstandard.ZstdDecompressor().decompress((_VECTORS / f"{name}.zst").read_bytes()))
    return path


@pytest.mark.parametrize("name", _NAMES)
def test_what_the_real_types_read_and_write_so_do_ours(name: str, tmp_path: Path) -> None:
    """Every vector passes, except for few that differ on purpose."""
    report = check_file(_unpacked(name, tmp_path))
    assert report.failures == ()
    assert report.differences.total() < 0.05 * (report.passed + report.differences.total())


def test_a_failing_vector_is_named_by_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A vector that does not pass is printed with its line number, and the exit code says so."""
    path = tmp_path / "v28.jsonl"
    path.write_text('\n{"type":"PausedEvent","note":"","from":"made","accept":true,"json":{"slot":"5"}}\n')
    assert main([str(path)]) == 1
    printed = capsys.readouterr().out
    assert "v28.jsonl:2:" in printed
    assert printed.endswith("0 passed, 1 failed\n")


def test_passing_files_end_with_exit_code_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Files without failures give 0, and the last line counts."""
    path = tmp_path / "v09.jsonl"
    path.write_text('{"type":"PausedEvent","note":"","from":"made","accept":true,"json":{"slot":5}}\n')
    assert main([str(path)]) == 0
    assert capsys.readouterr().out == "1 passed, 0 failed\n"
