"""Looks at volumes, runs and queues; touches nothing."""
