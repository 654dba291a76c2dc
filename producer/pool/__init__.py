"""Which devices take part in a run, and what they are."""
