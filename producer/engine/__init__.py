"""Runs: a backup, a restore, a check.  Each drives the stages in order and keeps the books."""
