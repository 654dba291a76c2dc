"""What a master may name as a source: the sources that its manager is configured for, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from tasks.configuration import SourceTable
from tasks.errors import UsageError


def confined(arguments: Sequence[str], tables: Mapping[str, SourceTable]) -> tuple[str, ...]:
    """The names of the sources that ``arguments`` mean: their names, or the folders themselves.

    Raises UsageError for anything else: agents know sources by their configured names alone.
    """
    by_path = {table.path: name for name, table in tables.items()}
    return tuple(argument if argument in tables else _named(argument, by_path) for argument in arguments)


def _named(argument: str, by_path: Mapping[str, str]) -> str:
    path = os.path.normpath(argument)
    if path in by_path:
        return by_path[path]
    above = next((name for place, name in by_path.items() if path.startswith(f"{place}/")), None)
    if above is not None:
        hint = (
            f"back up source {above} as a whole, or add a [sources.NAME] for the folder on the manager and its agents"
        )
    else:
        hint = f"its sources: {', '.join(sorted(by_path.values())) or 'none'}"
    raise UsageError(f"{argument} is not a source of this manager", hint=hint, path=argument)
