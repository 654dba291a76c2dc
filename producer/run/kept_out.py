"""What the walk of a source does not enter, though it lies inside it: another source, or a device."""

from __future__ import annotations

from pathlib import Path

from producer.host.places import file_systems_of
from producer.requests import Exclusions, Source


def is_kept_out(source: Source, path: Path, exclusions: Exclusions) -> bool:
    """Whether the walk stays out of ``path``, a folder inside ``source``, whatever is in it."""
    return _is_excluded(source, path, exclusions) or (exclusions.one_file_system and _is_elsewhere(source, path))


def _is_excluded(source: Source, path: Path, exclusions: Exclusions) -> bool:
    """Whether a pattern leaves out the folder or one above it.  The source itself is never excluded."""
    if not (exclusions.patterns or exclusions.patterns_any_case) or path == source.path:
        return False
    # Imported only here: few commands need patterns.
    from producer.walk.exclusions import ExclusionRules

    rules, below = ExclusionRules(exclusions), path.relative_to(source.path)
    return any(rules.matches(str(folder), is_directory=True) for folder in (*list(below.parents)[:-1], below))


def _is_elsewhere(source: Source, path: Path) -> bool:
    """Whether both answer and are on different file systems now."""
    return len(set(file_systems_of({"source": source.path, "inside": path}).values())) == 2
