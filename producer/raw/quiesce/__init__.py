"""Holds a source still while it is read, and releases it whatever happens."""
