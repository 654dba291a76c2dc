"""What masters and managers say to each other, and what a manager makes of it."""
