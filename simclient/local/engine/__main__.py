"""`python -m simclient.local.engine bundle|recording FILE`: a template process; started by `open_template`, not by hand."""

from __future__ import annotations

import sys

from .template import main

main(sys.argv[1], sys.argv[2])
