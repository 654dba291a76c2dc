"""Why a message did not get through."""

from __future__ import annotations


class NotSentError(Exception):
    """A message did not get through; the text says why, without addresses and passwords."""


class NoAnswerError(NotSentError):
    """Nobody answers there: the next message would wait in vain too."""
