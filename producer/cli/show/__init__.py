"""From results to people and scripts."""
