"""`python -m benchmarks` prints every figure and writes `bench.json` into the working directory."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import attrs

from .decode import decode_results

results = []
for result in decode_results():
    results.append(result)
    ratio = "" if result.ratio is None else f"{result.ratio:8.2f} x {result.ratio_to}"
    sys.stdout.write(f"{result.name:45} {result.value:10.2f} {result.unit}{ratio}\n")
    sys.stdout.flush()
Path("bench.json").write_text(json.dumps([attrs.asdict(result) for result in results], indent=1))
