"""What the walk of a source does not enter, though it lies inside it: another source, or a device."""

from __future__ import annotations

from pathlib import Path

from producer.host.places import file_systems_of
from producer.requests import Exclusions, Source


def is_kept_out(source: Source, path: Path, exclusions: Exclusions) -> bool:
    """Whether the walk stays out of ``path``, a folder inside ``source``, whatever is in it."""
    if source.only is None and not (exclusions.patterns or exclusions.patterns_any_case or exclusions.one_file_system):
        return False
    # Imported only here: few commands need patterns.
    from producer.walk.choosing.chosen import Chosen

    chosen, below = Chosen(source.only), _below(source, path)
    if not chosen.reaches(below):
        return True
    outermost = chosen.outermost(below)
    if outermost == below:
        return False  # what is named, and the way to it, no rule leaves out
    return _is_excluded(outermost, below, exclusions) or (
        exclusions.one_file_system and _is_elsewhere(source.path / outermost, path)
    )


def _below(source: Source, path: Path) -> str:
    return "" if path == source.path else path.relative_to(source.path).as_posix()


def _is_excluded(outermost: str, below: str, exclusions: Exclusions) -> bool:
    """Whether a pattern leaves out the folder ``below``, or one between it and the named folder ``outermost``."""
    from producer.walk.choosing.exclusions import ExclusionRules

    rules = ExclusionRules(exclusions)
    while below != outermost:
        if rules.matches(below, is_directory=True):
            return True
        below = below.rpartition("/")[0]
    return False


def _is_elsewhere(folder: Path, path: Path) -> bool:
    """Whether both answer and are on different file systems now."""
    return len(set(file_systems_of({"folder": folder, "inside": path}).values())) == 2
