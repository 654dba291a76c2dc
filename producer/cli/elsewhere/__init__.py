"""Commands that are carried out by a manager on another host."""
