"""Commands that restore data."""
