"""Comparing two runs: transaction by transaction, at the speed of the disk, in files larger than memory.

`step` reads both files side by side, and is done with a line that is the same in both as fast as it is read; `parts` has it done with each
part of large files (`spans`) in a process of its own (`workers`). `scan` joins what that cannot: files with their transactions in another
order altogether, or larger. `pairs` says how two lines of one transaction differ; `values` is what comes out, `compare` the order of
events.
"""

from .compare import compare_runs as compare_runs
from .values import Comparison as Comparison
from .values import Difference as Difference
from .values import Filters as Filters
from .values import Kind as Kind

__all__ = ["Comparison", "Difference", "Filters", "Kind", "compare_runs"]
