"""Commands that make snapshots."""
