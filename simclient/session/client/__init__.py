"""The client of one control host: raw sessions and everything that it answers over HTTP."""
