"""``--files-from``: lists of paths, and the sources that contain them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

from msgspec.structs import replace

from producer.configuration.values.sizes import format_size
from producer.host.scouting.looks import SilentError, look, look_through
from producer.requests import Source
from tasks.errors import UsageError

#: The catalog keeps the list with the snapshot, so that an interrupted backup can be resumed.
MAX_LIST_BYTES = 8 * 1024 * 1024

_STANDARD_INPUT = "-"


def with_listed(sources: Sequence[Source], files: Iterable[str], *, by_nul: bool) -> tuple[Source, ...]:
    """``sources``, each with those paths of the lists that it contains; of each, no more is backed up.

    A path is taken as it is, relative to the working folder; symlinks on the way to it are followed, and it is not.
    Raises UsageError for a list that cannot be read or names nothing, and for a path that no source contains.
    """
    named = [place for file in files for place in _read(file, by_nul=by_nul)]
    only: dict[str, dict[str, None]] = {source.name: {} for source in sources}
    for where, path in zip((where for where, _ in named), _real_paths([path for _, path in named]), strict=True):
        source = _source_of(path, sources)
        if source is None:
            raise UsageError(f"{where}: {path} is in no SOURCE", hint=_hint(sources), path=path)
        below = Path(path).relative_to(source.path)
        only[source.name]["/".join(below.parts)] = None
    return tuple(replace(source, only=tuple(sorted(only[source.name]))) for source in sources)


def paths_of(data: bytes, *, by_nul: bool) -> list[tuple[int, str]]:
    """The paths in a list, each with its number; empty ones are ignored.  Raises ValueError for a NUL in a line."""
    found = []
    for number, item in enumerate(data.split(b"\0" if by_nul else b"\n"), start=1):
        path = item if by_nul else item.removesuffix(b"\r")
        if b"\0" in path:
            raise ValueError(f"line {number} contains a NUL byte")
        if path:
            found.append((number, os.fsdecode(path)))
    return found


def _read(file: str, *, by_nul: bool) -> list[tuple[str, str]]:
    """The paths in a list, each with the place where it stands."""
    name = "standard input" if file == _STANDARD_INPUT else file
    data = _data_of(file, name)
    if len(data) > MAX_LIST_BYTES:
        raise UsageError(
            f"--files-from {name}: more than {format_size(MAX_LIST_BYTES)}", hint="name folders instead of files"
        )
    try:
        paths = paths_of(data, by_nul=by_nul)
    except ValueError as error:
        raise UsageError(f"--files-from {name}: {error}", hint="is it a list for -0?") from error
    if not paths:
        raise UsageError(f"--files-from {name} names no path", hint="write one path a line")
    word = "path" if by_nul else "line"
    return [(f"{name}, {word} {number}", path) for number, path in paths]


def _data_of(file: str, name: str) -> bytes:
    try:
        if file == _STANDARD_INPUT:
            with open(0, "rb", closefd=False) as standard_input:
                return standard_input.read(MAX_LIST_BYTES + 1)
        return look(Path(file), _first_bytes)
    except OSError as error:
        raise UsageError(f"cannot read --files-from {name}: {error.strerror}", path=file) from error


def _first_bytes(path: Path) -> bytes:
    with open(path, "rb") as opened:
        return opened.read(MAX_LIST_BYTES + 1)


def _real_paths(paths: Sequence[str]) -> Iterator[str]:
    """The paths, absolute, without symlinks on the way; raises SilentError naming one that does not answer."""
    done = 0
    try:
        for path in look_through(Path(), lambda: map(_real_path(), paths)):
            yield path
            done += 1
    except SilentError as error:
        raise SilentError(f"{paths[done]} does not answer", path=paths[done]) from error
    except OSError as error:
        raise UsageError(f"cannot find {paths[done]}: {error.strerror}", path=paths[done]) from error


def _real_path() -> Callable[[str], str]:
    real_folder = cache(os.path.realpath)

    def real_path(path: str) -> str:
        folder, name = os.path.split(path)
        return os.path.realpath(path) if name in ("", ".", "..") else os.path.join(real_folder(folder or "."), name)

    return real_path


def _source_of(path: str, sources: Sequence[Source]) -> Source | None:
    """The innermost source that contains ``path``."""
    found = [source for source in sources if Path(path).is_relative_to(source.path)]
    return max(found, key=lambda source: len(source.path.parts), default=None)


def _hint(sources: Sequence[Source]) -> str:
    names = ", ".join(str(source.path) for source in sources)
    return f"sources: {names}; without SOURCE, the list may name any path"
