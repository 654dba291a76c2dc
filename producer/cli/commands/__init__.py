"""One file for each command, in the groups of the help."""
