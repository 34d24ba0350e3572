"""The deployed function: call it, watch it, move its alias."""
