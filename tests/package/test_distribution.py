"""What is in the wheel and in the source distribution."""

from __future__ import annotations

import os
import tarfile
import zipfile
from email.parser import HeaderParser
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).resolve().parents[2]
DIST = os.environ.get("SIMCLIENT_DIST", "")

pytestmark = pytest.mark.skipif(not DIST, reason="`nox -s package` builds the distributions")

NEVER = {"__pycache__", ".git", ".nox", "_build"}
SOURCE_FOLDERS = ("simclient", "tests", "docs", "benchmarks", "requirements")


def wheel() -> zipfile.ZipFile:
    [path] = Path(DIST).glob("*.whl")
    return zipfile.ZipFile(path)


def sdist_files() -> dict[str, int]:
    """Return the files of the source distribution, without its top folder, and their sizes."""
    [path] = Path(DIST).glob("*.tar.gz")
    with tarfile.open(path) as archive:
        return {member.name.split("/", 1)[1]: member.size for member in archive if member.isfile()}


def checkout_files(folder: str) -> set[str]:
    """Return the files of a folder of the checkout, but for what running things leaves there."""
    files = (path.relative_to(ROOT) for path in (ROOT / folder).rglob("*") if path.is_file())
    return {path.as_posix() for path in files if not NEVER & {*path.parts} and path.suffix != ".pyc"}


def test_the_wheel_is_the_package_and_nothing_else() -> None:
    """Every file of simclient/, its metadata, and no test, no page."""
    names = {name for name in wheel().namelist() if not PurePosixPath(name).parts[0].endswith(".dist-info")}

    assert names == checkout_files("simclient")


def test_the_wheel_has_types_data_and_the_licence() -> None:
    """What no import would miss."""
    names = wheel().namelist()

    for name in ("simclient/py.typed", "simclient/__init__.pyi", "simclient/local/data/market.bundle"):
        assert name in names
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    assert any(name.endswith(".dist-info/entry_points.txt") for name in names)


def test_the_metadata_names_every_extra() -> None:
    """The ones that people are told of in errors and pages."""
    [name] = [name for name in wheel().namelist() if name.endswith(".dist-info/METADATA")]
    metadata = HeaderParser().parsestr(wheel().read(name).decode())
    extras = {"all", "arrow", "cli", "compare", "local", "notebook", "parquet", "report", "testing"}

    assert {*metadata.get_all("Provides-Extra", [])} == extras
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Requires-Python"] == ">=3.11"


def test_the_source_distribution_is_all_that_its_tests_need() -> None:
    """The package, tests, pages, benchmarks and pinned requirements, and the files that nox and hatchling read."""
    files = sdist_files()
    expected = set[str]().union(*map(checkout_files, SOURCE_FOLDERS))

    assert {"pyproject.toml", "noxfile.py", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE"} <= {*files}
    assert {name for name in files if name.split("/")[0] in SOURCE_FOLDERS} == expected


def test_nothing_large_is_published() -> None:
    """Test data is compressed, and nothing else is large."""
    assert sum(sdist_files().values()) < 20_000_000
    assert Path(wheel().filename or "").stat().st_size < 2_000_000
