"""What people read: job summary, plan comment, release page."""
