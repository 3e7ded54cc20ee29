"""Tests of what would be published; `nox -s package` builds it and runs them."""
