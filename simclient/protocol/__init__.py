"""Rules: pure state machines over wire values; the clock is an argument. No trio, no sockets."""
