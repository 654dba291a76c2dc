"""The processes that serve devices: workers that the run starts, or agents that are already running."""
