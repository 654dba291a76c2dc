"""From SOURCE arguments to named sources."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from producer.cli.options import absolute
from producer.naming import source_name, volume_name
from producer.requests import Source
from tasks.configuration import Configuration, SourceTable
from tasks.errors import UsageError


def choose_sources(
    arguments: Sequence[str], configuration: Configuration, *, volume: str | None = None
) -> tuple[Source, ...]:
    """The sources that ``arguments`` mean, with real paths; raises UsageError for one that does not exist.

    Where ``volume`` (None: the one that the sources' names make) has a command that runs before its backup, it need not
    exist yet: the command may make it.

    An argument is the name of a ``[sources.NAME]``, or else a path.  Configured names are given first, so that
    a path's base name never takes one.
    """
    named = list(_named(arguments, configuration))
    table_of_volume = configuration.volumes.get(volume or volume_name([name for name, _, _ in named]))
    is_made_later = table_of_volume is not None and bool(table_of_volume.pre)
    return tuple(
        Source(name=name, path=path.resolve() if is_made_later else _existing(path, table))
        for name, path, table in named
    )


def _named(arguments: Sequence[str], configuration: Configuration) -> Iterator[tuple[str, Path, SourceTable | None]]:
    taken = [argument for argument in arguments if argument in configuration.sources]
    for argument in arguments:
        table = configuration.sources.get(argument)
        path = Path(table.path) if table else absolute(argument)
        name = argument if table else source_name(path, taken)
        taken.append(name)
        yield name, path, table


def _existing(path: Path, table: SourceTable | None) -> Path:
    try:
        return path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or str(error)
        hint = "see its table in the configuration" if table else "name a folder or file, or a [sources.NAME]"
        raise UsageError(f"no such source: {path}: {reason}", hint=hint, path=str(path)) from error
