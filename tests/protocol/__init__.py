"""Tests of simclient.protocol."""
