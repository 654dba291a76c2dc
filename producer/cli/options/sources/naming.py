"""Default names of sources and volumes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

_VOLUME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")


def source_name(path: Path, taken: Iterable[str]) -> str:
    """The base name of the absolute ``path``, with ``-2``, ``-3`` … when it is among ``taken``; ``root`` for ``/``."""
    base, name, number = path.name or "root", path.name or "root", 1
    taken = set(taken)
    while name in taken:
        number += 1
        name = f"{base}-{number}"
    return name


def is_volume_name(name: str) -> bool:
    """Whether ``name`` may name a volume: 1 to 63 of ``A-Z a-z 0-9 _ -``, the first a letter or digit."""
    return _VOLUME.fullmatch(name) is not None


def volume_name(source_names: Sequence[str]) -> str:
    """The volume that a backup of these sources belongs to: their names, sorted and joined with ``_``.

    If that is not a valid volume name, other characters are replaced and eight hex digits of a digest appended, so
    that different sources keep different volumes.
    """
    joined = "_".join(sorted(source_names))
    if is_volume_name(joined):
        return joined
    digest = hashlib.blake2b(joined.encode("utf-8", "surrogateescape"), digest_size=4).hexdigest()
    readable = re.sub(r"[^A-Za-z0-9_-]+", "-", joined).strip("-_")[:54].rstrip("-_")
    return f"{readable or 'volume'}-{digest}"
