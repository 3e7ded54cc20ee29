"""Tests of what is done with events."""
