"""Turns SOURCE arguments into named sources."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

from producer.cli.options.sources.below import below, not_a_source, path_for_manager
from producer.cli.options.sources.naming import source_name, volume_name
from producer.cli.options.sources.paths import absolute
from producer.configuration.tables import Configuration, SourceTable
from producer.host.scouting.looks import SilentError, look_at_each
from producer.requests import Source
from tasks.errors import UsageError
from tasks.values import SourcePlace

#: Who names the sources: a person here, with workers of this run alone; a person here, in a fleet; or a master on any
#: host, who may only name what the manager's configuration has.
Asker = Literal["here", "fleet", "master"]


class _Meant(NamedTuple):
    """What one argument means.  ``table``: the table of the source, if the argument names one."""

    name: str
    path: Path
    table: SourceTable | None = None
    within: SourcePlace | None = None


def choose_sources(
    arguments: Collection[str], configuration: Configuration, *, volume: str | None = None, asker: Asker = "here"
) -> tuple[Source, ...]:
    """The sources that ``arguments`` mean, with real paths; raises UsageError for one that does not exist.

    One that does not answer keeps the path that was given; raises SilentError if all of them do not.

    If ``volume`` (None: the default name) has a command that runs before its backup, sources need not exist yet: the
    command may make them.

    An argument is the name of a ``[sources.NAME]``, or else a path.  In a fleet, a path inside a configured source
    is stored relative to it, and the path of a configured source means that source.
    """
    named = list(_named(arguments, configuration.sources, asker))
    table_of_volume = configuration.volumes.get(volume or volume_name([meant.name for meant in named]))
    is_made_later = table_of_volume is not None and bool(table_of_volume.pre)
    seen = look_at_each({meant.name: meant.path for meant in named}, partial(_resolved, strict=not is_made_later))
    silent = [real for real in seen.values() if isinstance(real, SilentError)]
    if len(silent) == len(seen):
        raise silent[0]
    return tuple(
        Source(name=meant.name, path=_real_path(meant, seen[meant.name]), within=meant.within) for meant in named
    )


def volume_of(arguments: Collection[str], configuration: Configuration, asker: Asker) -> str:
    """The volume that a backup of these sources belongs to unless it names another."""
    return volume_name([meant.name for meant in _named(arguments, configuration.sources, asker)])


def _named(arguments: Collection[str], tables: dict[str, SourceTable], asker: Asker) -> Iterator[_Meant]:
    # Configured names come first, so that a path's base name never takes one.  In a fleet that holds for all of them:
    # agents would take the path for the source of that name.
    taken = [name for name in tables if asker != "here" or name in arguments]
    for argument in arguments:
        meant = _configured(argument, tables, asker)
        if meant is None:
            meant = _by_path(argument, tables, asker, taken)
        taken.append(meant.name)
        yield meant


def _configured(argument: str, tables: dict[str, SourceTable], asker: Asker) -> _Meant | None:
    name = argument if argument in tables else None
    if name is None and asker != "here":
        found = below(_path(argument, tables, asker), tables)
        name = found[0] if found is not None and not found[1] else None
    return _Meant(name, Path(tables[name].path), tables[name]) if name is not None else None


def _by_path(argument: str, tables: dict[str, SourceTable], asker: Asker, taken: list[str]) -> _Meant:
    path = _path(argument, tables, asker)
    found = below(path, tables) if asker != "here" else None
    if found is None and asker == "master":
        raise not_a_source(argument, tables)
    within = SourcePlace(source=found[0], path=found[1]) if found is not None else None
    return _Meant(source_name(path, taken), path, within=within)


def _path(argument: str, tables: dict[str, SourceTable], asker: Asker) -> Path:
    return path_for_manager(argument, tables) if asker == "master" else absolute(argument)


def _resolved(path: Path, *, strict: bool) -> Path | OSError | RuntimeError:
    try:
        return path.resolve(strict=strict)
    except (OSError, RuntimeError) as error:
        return error


def _real_path(meant: _Meant, seen: Path | OSError | RuntimeError | SilentError) -> Path:
    if isinstance(seen, Path):
        return seen
    if isinstance(seen, SilentError):
        return meant.path
    reason = (isinstance(seen, OSError) and seen.strerror) or str(seen)
    hint = "see its table in the configuration" if meant.table else "name a folder or file, or a [sources.NAME]"
    raise UsageError(f"cannot read source {meant.path}: {reason}", hint=hint, path=str(meant.path))
