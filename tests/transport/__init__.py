"""Tests of simclient.transport."""
