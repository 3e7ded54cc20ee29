"""What is known of two files once their transactions are brought together: which are the same, and where the others stand."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

import attrs

__all__ = ["Joined", "Places"]


@attrs.frozen
class Places:
    """Where lines stand in a file: offsets and lengths in bytes, without the newline. Small, and good to send to another process."""

    offsets: array[int] = attrs.field(factory=lambda: array("Q"))
    lengths: array[int] = attrs.field(factory=lambda: array("Q"))

    def add(self, offset: int, length: int) -> None:
        """Add one line."""
        self.offsets.append(offset)
        self.lengths.append(length)

    def part(self, begin: int, end: int) -> Places:
        """Return a run of the lines."""
        return Places(self.offsets[begin:end], self.lengths[begin:end])

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Yield offset and length of each."""
        return zip(self.offsets, self.lengths, strict=True)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.offsets)


@attrs.frozen(kw_only=True)
class Joined:
    """Two files, transaction by transaction."""

    common: int
    """So many are in both."""
    identical: int
    """Of so many of these the files say the same."""
    baseline: Places
    experiment: Places
    """Lines of transactions that are in both, of which the files do not say the same, in pairs: these are to be compared yet."""
    missing: Places
    """Lines of the baseline of which the experiment has none."""
    extra: Places
    """Lines of the experiment of which the baseline has none."""
