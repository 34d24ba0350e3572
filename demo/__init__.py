"""A change goes from source to a running function and back, on this machine."""
