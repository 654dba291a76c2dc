"""The means of one run: catalog, locks, broker, workers, and its record in the history."""
