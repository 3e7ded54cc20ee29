"""The data plane of a session: a task per subscription, their turns, and the drain that ends the run."""
