"""Which permissions a call needs, and whether a role has them."""
