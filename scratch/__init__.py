"""Throw-away projects, clouds and databases on this machine, for the demo, tests and benchmarks."""
