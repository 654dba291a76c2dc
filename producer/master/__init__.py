"""The master: an operator's command line that has a manager carry out its command."""
