"""What CI runs, as sessions, and what people run now and then.

CI: `nox -s tests`, `nox -s lint types docs package`. People: `nox -s oldest`, `audit`, `bench`, `pictures`, `lock`, `changelog`.
Every environment is made from the exact, hashed files in requirements/; `nox -s lock` makes those from pyproject.toml.
The package itself is tested as the wheel that users get, never from the checkout.
"""

from __future__ import annotations

import re
from pathlib import Path

import nox

nox.needs_version = ">=2026.4"
nox.options.default_venv_backend = "venv"
nox.options.error_on_external_run = True
nox.options.sessions = ["lint", "types", "tests", "docs", "package"]

OLDEST_PYTHON = "3.11"
"""Locks are resolved for this version and all later ones."""

LOCKS: dict[str, list[str]] = {
    "nox": ["--group", "nox"],
    "audit": ["--group", "audit"],
    "bench": ["pyproject.toml", "--extra", "all", "--group", "bench"],
    "build": ["--group", "build"],
    "core": ["pyproject.toml"],
    "lint": ["--group", "lint"],
    "lock": ["--group", "lock"],
    "package": ["--group", "package"],
    "release": ["--group", "release"],
    "test": ["pyproject.toml", "--extra", "all", "--extra", "testing", "--group", "test"],
    "types": ["pyproject.toml", "--extra", "all", "--extra", "testing", "--group", "types"],
    "docs": ["pyproject.toml", "--extra", "all", "--extra", "testing", "--group", "docs"],
}
"""What goes into each requirements/NAME.txt: groups and extras of pyproject.toml."""

OLDEST = (*LOCKS["test"], "--resolution", "lowest-direct")
"""What goes into requirements/oldest.txt: every direct dependency in the oldest version that pyproject.toml allows."""

OF_ONE_LIBZSTD = (
    "tests/local/test_market.py::test_the_code_makes_the_shipped_file",
    "tests/interop/test_examples.py::test_the_blocks_of_the_examples_are_what_the_archive_gives",
)
"""Tests that compare compressed files byte for byte: another libzstd compresses into other bytes."""

FRAGMENT = re.compile(r"[\w-]+\.(added|changed|fixed|removed)\.md")
"""The name of a fragment of the changelog."""


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format.

    Of the four rules that trio programs must not break, ruff has ASYNC119 (a yield inside a scope of an async generator);
    flake8-async adds 101 (a yield inside a nursery), 102 (an unshielded await in `finally`) and 103 (a swallowed `Cancelled`).
    """
    install(session, "lint")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    files = sorted(str(file) for folder in ("simclient", "tests") for file in Path(folder).rglob("*.py"))
    session.run("flake8-async", "--enable=ASYNC101,ASYNC102,ASYNC103", *files)


@nox.session
def types(session: nox.Session) -> None:
    """Check types twice: mypy over everything, pyright over the package."""
    install(session, "types")
    session.run("mypy")
    session.run("pyright")


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests against the built wheel; arguments after `--` go to pytest."""
    wheel = build_wheel(session)
    install(session, "test")
    session.install("--no-deps", "--force-reinstall", str(wheel))
    session.run("pytest", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; a warning is an error."""
    wheel = build_wheel(session)
    install(session, "docs")
    session.install("--no-deps", "--force-reinstall", str(wheel))
    session.run("sphinx-build", "-W", "--keep-going", "-b", "html", "docs", "docs/_build/html", *session.posargs)


@nox.session
def pictures(session: nox.Session) -> None:
    """Make the pictures of the documentation anew."""
    wheel = build_wheel(session)
    install(session, "docs")
    session.install("--no-deps", "--force-reinstall", str(wheel))
    session.run("python", "docs/pictures.py")


@nox.session
def package(session: nox.Session) -> None:
    """Build what would be published and check it: metadata, contents, and an install of the core alone."""
    install(session, "package")
    folder = Path(session.create_tmp()).resolve()
    dist, core = folder / "dist", folder / "core"
    for old in dist.glob("*"):
        old.unlink()
    session.run(
        "python", "-m", "build", "--no-isolation", "--outdir", str(dist), silent=True
    )  # the wheel from the sdist
    session.run("twine", "check", "--strict", *map(str, dist.iterdir()))
    session.run("python", "-m", "venv", "--clear", str(core))
    pip = (str(core / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    session.run(*pip, "--require-hashes", "-r", "requirements/core.txt", external=True)
    session.run(*pip, "--no-deps", *map(str, dist.glob("*.whl")), external=True)
    environment = {"SIMCLIENT_DIST": str(dist), "SIMCLIENT_CORE": str(core)}
    session.run("pytest", "--confcutdir=tests/package", "tests/package", *session.posargs, env=environment)


@nox.session
def oldest(session: nox.Session) -> None:
    """Run the tests with the oldest versions of everything that pyproject.toml allows; needs the oldest Python too."""
    wheel = build_wheel(session)
    install(session, "oldest")
    session.install("--no-deps", "--force-reinstall", str(wheel))
    session.run("pytest", *(f"--deselect={test}" for test in OF_ONE_LIBZSTD), *session.posargs)


@nox.session
def audit(session: nox.Session) -> None:
    """Ask the advisory database about every pinned dependency that users get."""
    install(session, "audit")
    session.run(
        "pip-audit", "--strict", "--disable-pip", "--require-hashes", "-r", "requirements/test.txt", *session.posargs
    )


@nox.session
def changelog(session: nox.Session) -> None:
    """Make CHANGELOG.md of the fragments: `nox -s changelog -- --version 0.2.0`; `-- --draft --version …` only prints it."""
    strays = [path.name for path in Path("docs/changelog.d").glob("*.md") if not FRAGMENT.fullmatch(path.name)]
    if strays:
        session.error(
            f"docs/changelog.d: {', '.join(strays)}: call a fragment NAME.added.md, .changed.md, .fixed.md or .removed.md"
        )
    install(session, "release")
    session.run("towncrier", "build", "--yes", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Compare speeds within one run; prints ratios and writes bench.json."""
    wheel = build_wheel(session)
    install(session, "bench")
    session.install("--no-deps", "--force-reinstall", str(wheel))
    session.run("python", "-m", "benchmarks", *session.posargs)


@nox.session
def lock(session: nox.Session) -> None:
    """Resolve requirements/*.txt anew; `nox -s lock -- test` does one, `-- test --upgrade` takes newer versions too."""
    install(session, "lock")
    flags = [argument for argument in session.posargs if argument.startswith("-")]
    names = [argument for argument in session.posargs if not argument.startswith("-")] or [*LOCKS, "oldest"]
    for name in names:
        session.run(
            *("uv", "pip", "compile", "--quiet", "--universal", "--python-version", OLDEST_PYTHON),
            *(
                "--generate-hashes",
                "--no-strip-extras",
                "--no-emit-index-url",
                "--custom-compile-command",
                "nox -s lock",
            ),
            *(*(OLDEST if name == "oldest" else LOCKS[name]), *flags, "--output-file", f"requirements/{name}.txt"),
        )


def install(session: nox.Session, name: str) -> None:
    """Install exactly what requirements/NAME.txt lists."""
    session.install("--require-hashes", "-r", f"requirements/{name}.txt")


def build_wheel(session: nox.Session) -> Path:
    """Build the wheel with the locked build tools, and return its path."""
    install(session, "build")
    folder = Path(session.create_tmp()) / "wheel"
    session.run("python", "-m", "build", "--no-isolation", "--wheel", "--outdir", str(folder), silent=True)
    return max(folder.glob("*.whl"), key=lambda wheel: wheel.stat().st_mtime)
