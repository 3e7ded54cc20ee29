"""Values: everything said on either plane, as immutable classes, and the one codec. No state, no I/O."""
