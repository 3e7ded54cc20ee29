"""What `nox -s bench` runs: comparisons within one process and one run, printed as ratios."""
