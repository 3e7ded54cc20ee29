"""What every test may ask for: the fixtures that we give to users' tests too."""

from __future__ import annotations

pytest_plugins = ["simclient.testing.fixtures"]
