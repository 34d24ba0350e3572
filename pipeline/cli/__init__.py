"""One thin module per command, and the one place where an error becomes an exit code."""
