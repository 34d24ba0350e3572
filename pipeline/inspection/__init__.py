"""From an untrusted bundle to a report."""
