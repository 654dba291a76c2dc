"""Where the space of devices goes, and what would be lost with each."""
