"""Recordings served again: what a session gave once, without executing anything (`docs/recording-format.md`)."""
