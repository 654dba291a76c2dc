"""Which entries of a snapshot go, by patterns of paths."""

from __future__ import annotations

from producer.listing.entry import EntryBatch
from producer.walk.choosing.exclusions import ExclusionRules


class LeftOut:
    """Asked once for each batch of a snapshot, in entry order: what a folder contains goes with it."""

    def __init__(self, rules: ExclusionRules) -> None:
        self._rules = rules
        #: (source, path) of each folder that goes.
        self._folders: set[tuple[str, str]] = set()

    def places(self, batch: EntryBatch) -> list[int]:
        """Which entries of the batch go, ascending.  The entry of a source itself never does."""
        is_all = (batch.source, batch.directory) in self._folders
        found = [place for place in range(len(batch)) if is_all or self._goes(batch, place)]
        self._folders |= {(batch.source, batch.path_at(place)) for place in found if batch.kinds[place] == "d"}
        return found

    def _goes(self, batch: EntryBatch, place: int) -> bool:
        path = batch.path_at(place)
        return bool(path) and self._rules.matches(path, is_directory=batch.kinds[place] == "d")
