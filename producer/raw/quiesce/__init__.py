"""Holds a source still while it is read, and undoes that whatever happens."""
