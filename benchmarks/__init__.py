"""`make bench`: our figures beside those of the alternatives, measured in the same run."""
