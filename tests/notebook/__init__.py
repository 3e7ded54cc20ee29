"""Tests of the notebook door."""
