"""Tests of simclient.session."""
