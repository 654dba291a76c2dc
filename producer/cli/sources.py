"""From SOURCE arguments to named sources."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from producer.cli.options import absolute
from producer.naming import source_name
from producer.requests import Source
from tasks.configuration import Configuration, SourceTable
from tasks.errors import UsageError


def choose_sources(arguments: Sequence[str], configuration: Configuration) -> tuple[Source, ...]:
    """The sources that ``arguments`` mean, with real paths; raises UsageError for one that does not exist.

    An argument is the name of a ``[sources.NAME]``, or else a path.  Configured names are given first, so that
    a path's base name never takes one.
    """
    taken = [argument for argument in arguments if argument in configuration.sources]
    sources = []
    for argument in arguments:
        table = configuration.sources.get(argument)
        path = Path(table.path) if table else absolute(argument)
        name = argument if table else source_name(path, taken)
        taken.append(name)
        sources.append(Source(name=name, path=_existing(path, table)))
    return tuple(sources)


def _existing(path: Path, table: SourceTable | None) -> Path:
    try:
        return path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or str(error)
        hint = "see its table in the configuration" if table else "name a folder or file, or a [sources.NAME]"
        raise UsageError(f"no such source: {path}: {reason}", hint=hint, path=str(path)) from error
