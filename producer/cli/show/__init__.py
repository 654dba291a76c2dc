"""Shows results to people and scripts."""
