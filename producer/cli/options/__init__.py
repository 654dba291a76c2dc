"""Turns the words of a command line into requests."""
