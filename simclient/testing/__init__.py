"""What users' own tests need: a scripted server, fault injection, fixtures."""
