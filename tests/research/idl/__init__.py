"""Tests of IDLs."""
