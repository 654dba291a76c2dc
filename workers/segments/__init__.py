"""One segment on one device: stored, found again, verified."""
