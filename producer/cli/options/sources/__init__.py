"""The sources of a command line: their paths, their names, and lists of them."""
