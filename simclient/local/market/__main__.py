"""`python -m simclient.local.market OUTPUT` writes the market bundle."""

from __future__ import annotations

import sys
from pathlib import Path

from .generator import write_market

if len(sys.argv) != 2:
    sys.exit("usage: python -m simclient.local.market OUTPUT")
write_market(Path(sys.argv[1]))
