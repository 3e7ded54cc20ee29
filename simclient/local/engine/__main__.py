"""`python -m simclient.local.engine bundle|recording FILE BYTES`: a template process; started by `open_template`, not by hand."""

from __future__ import annotations

import sys

from .template import main

main(*sys.argv[1:])
