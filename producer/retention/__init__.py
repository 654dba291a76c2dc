"""Which snapshots are kept, and which are forgotten."""
