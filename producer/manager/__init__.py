"""The manager: a process that carries out what masters ask of it, with its own configuration and catalog.

Each command runs as a child process of the same program, so that a manager does what the command line does in local
use, and a run that goes wrong takes nobody with it.  What is accepted is on the disk first; a manager that starts again
resumes the backups that were under way.
"""
