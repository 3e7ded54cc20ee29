"""Comparing two runs: transaction by transaction, at the speed of the disk, in files larger than memory.

`scan` reads both files once, with Polars: per transaction a hash of its signature and a hash of everything said of it, and where its line
stands. The hashes are joined; transactions of which both files say the same are done with. `pairs` reads the lines of the others and
says how they differ; `values` is what comes out, `compare` the order of events.
"""

from .compare import compare_runs as compare_runs
from .values import Comparison as Comparison
from .values import Difference as Difference
from .values import Filters as Filters
from .values import Kind as Kind

__all__ = ["Comparison", "Difference", "Filters", "Kind", "compare_runs"]
