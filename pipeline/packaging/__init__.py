"""From source to a bundle."""
