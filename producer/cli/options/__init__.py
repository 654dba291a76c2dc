"""From words on the command line to requests."""
