"""The files of a manifest, which each device gets: kept in memory where they are few, else made again for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from producer.manifest import ManifestPart
from producer.pool.manifests.manifest_files import ManifestFile

#: On most days a manifest has less.
_KEPT_BYTES = 8 * 1024 * 1024


def files_for_all(
    make: Callable[[], Iterator[ManifestFile]], *, kept_bytes: int = _KEPT_BYTES
) -> tuple[tuple[ManifestPart, ...], Callable[[], Iterable[ManifestFile]]]:
    """Their entries in the head, and what gives all of them, one in memory at a time if they are many.

    ``make`` makes the same files at each call.
    """
    parts, kept, size_bytes = list[ManifestPart](), list[ManifestFile](), 0
    for file in make():
        parts.append(file.part)
        size_bytes += len(file.data)
        if size_bytes > kept_bytes:
            kept.clear()
        else:
            kept.append(file)
    return tuple(parts), make if size_bytes > kept_bytes else lambda: kept
