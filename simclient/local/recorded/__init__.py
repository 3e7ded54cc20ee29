"""Recordings served again: what a session gave once, without executing anything (`docs/reference/recording-format.md`)."""
