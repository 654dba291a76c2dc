"""Sentences on a terminal: broken between words, and not where its edge is."""

from __future__ import annotations

import os
import re
import sys
import textwrap

import click

from producer.cli.show.safe_text import harmless
from producer.host.behalf import terminal_width

#: What a line begins with that its further lines are indented by: blanks, or a label and blanks.
_LABEL = re.compile(r"\s+|\S+(?: \S+)*?\s{2,}")


def wrapped(line: str, width: int | None) -> list[str]:
    """The lines of at most ``width`` that show a line; a longer word stays whole.  None: any width."""
    if width is None or len(line) <= width:
        return [line]
    label = _LABEL.match(line)
    indent = len(label[0]) if label is not None and len(label[0]) <= width // 2 else 2
    return textwrap.wrap(line, width, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False)


def say(text: str) -> None:
    """Print a sentence on standard output."""
    for line in wrapped(text, terminal_width()):
        click.echo(line)


def warn(text: str) -> None:
    """Print a sentence on standard error, with control characters escaped."""
    width = os.get_terminal_size(sys.stderr.fileno()).columns if sys.stderr.isatty() else None
    for line in harmless(text).splitlines() or [""]:
        # 0: a terminal that does not know.
        click.echo("\n".join(wrapped(line, width or None)), err=True)
