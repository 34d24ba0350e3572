"""The release page: one file that a browser opens."""
