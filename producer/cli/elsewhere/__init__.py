"""Commands that a manager carries out, on this host or another."""
