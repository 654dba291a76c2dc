"""Which configured source a path is in: agents know sources by name, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from producer.configuration.tables import SourceTable
from producer.host.scouting.looks import SilentError, look_at_each
from tasks.errors import UsageError


def below(path: Path, tables: Mapping[str, SourceTable]) -> tuple[str, str] | None:
    """The innermost configured source that contains ``path``, and the path below it ("" for the source itself).

    None if no source contains it.  Symlinks are resolved on both sides, so that none leads out of a source.
    """
    real = _real_paths({"": path})[""]
    roots = _real_paths({name: Path(table.path) for name, table in tables.items()})
    found = [name for name, root in roots.items() if real.is_relative_to(root)]
    if not found:
        return None
    name = max(found, key=lambda name: len(roots[name].parts))
    way = real.relative_to(roots[name])
    return name, "/".join(way.parts)


def _real_paths(paths: Mapping[str, Path]) -> dict[str, Path]:
    """With symlinks resolved, where their file system answers."""
    seen = look_at_each(paths, Path.resolve)
    return {name: paths[name] if isinstance(real, SilentError) else real for name, real in seen.items()}


def path_for_manager(argument: str, tables: Mapping[str, SourceTable]) -> Path:
    """The path on the manager's host that a master's SOURCE means: absolute, or starting with a source's name.

    Raises UsageError for anything else: the master's working folder means nothing here.
    """
    name, _, rest = argument.partition("/")
    if name in tables:
        argument = f"{tables[name].path}/{rest}"
    if not argument.startswith("/"):
        raise not_a_source(argument, tables)
    return Path(os.path.normpath(argument))


def not_a_source(argument: str, tables: Mapping[str, SourceTable]) -> UsageError:
    known = ", ".join(f"{name} ({table.path})" for name, table in sorted(tables.items())) or "none"
    return UsageError(f"{argument} is not inside a source of this manager", hint=f"its sources: {known}", path=argument)
