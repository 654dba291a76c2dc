"""Processes that look at files in our place, so that what never answers costs nothing else."""
