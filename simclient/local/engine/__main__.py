"""`python -m simclient.local.engine`: an engine process; started by `open_engine`, not by hand."""

from __future__ import annotations

from .worker import main

main()
