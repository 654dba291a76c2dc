"""The master: a command line that lets a manager carry out its command."""
