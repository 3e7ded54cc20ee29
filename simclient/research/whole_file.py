"""Files that are there as a whole or not at all: reports, pictures, Parquet."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from .event_file import OutputError, check_output

__all__ = ["whole_file"]


@contextmanager
def whole_file(path: Path) -> Generator[Path]:
    """Lend the path of a file to write, which takes the place of `path` if the block ends well, and is removed if not.

    What is no regular file, such as `/dev/stdout`, is lent itself; a symbolic link stays, and what it names is replaced.

    Raises:
        InputError: `path` cannot be written; nothing was touched.
        OutputError: Writing failed, here or in the block.
    """
    check_output(path)
    path = path.resolve()
    is_special = path.exists() and not path.is_file()
    unfinished = path if is_special else path.with_name(f".{path.name}.unfinished")
    try:
        yield unfinished
        if not is_special:
            unfinished.replace(path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        if not is_special:
            unfinished.unlink(missing_ok=True)
