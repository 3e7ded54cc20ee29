"""Sessions under faults, over seeds: the figures of `python -m simclient.testing.soak`."""
