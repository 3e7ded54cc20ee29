"""What is done with events: the run driver, sinks, P&L."""
