"""The serving side of the embedded simulator, on one loopback port."""
