"""`make bench`: this project and its alternatives, measured in the same run."""
