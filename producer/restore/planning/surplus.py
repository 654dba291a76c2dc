"""Which of what the target holds, and the snapshot does not, is removed.  Pure."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct, field

from producer.restore.planning.selection import Selection
from tasks.orders.target_looks import Surplus


class SurplusTree(Struct, kw_only=True):
    """Grows while folders are looked into.  ``kept``: paths that stay besides, with all that is in them."""

    selection: Selection
    kept: tuple[str, ...] = ()
    _found: dict[str, bool] = field(default_factory=dict)
    _staying: set[str] = field(default_factory=set)

    def add(self, found: Iterable[Surplus]) -> list[str]:
        """Take what a look has found; returns the folders to look into next.

        What is excluded stays, with all that is in it.  What is not included stays, but not all that is in it.
        """
        below = []
        for surplus in found:
            is_directory = surplus.kind == "directory"
            path = self._snapshot_path(surplus.path)
            if (
                surplus.kind in ("mount", "fixed")
                or self._is_kept(surplus.path)
                or self.selection.excludes(path, is_directory)
            ):
                self.stay(surplus.path)
                continue
            if not self.selection.includes(path, is_directory):
                self.stay(surplus.path)
            self._found[surplus.path] = is_directory
            if is_directory:
                below.append(surplus.path)
        return below

    def stay(self, path: str) -> None:
        """Nothing removes ``path``, nor what it is in."""
        while path and path not in self._staying:
            self._staying.add(path)
            path = path.rpartition("/")[0]

    def removable(self) -> list[tuple[str, bool]]:
        """What is to be removed, the deepest first; and whether each is a folder."""
        paths = sorted(self._found.keys() - self._staying, reverse=True)
        return [(path, self._found[path]) for path in paths]

    def _is_kept(self, path: str) -> bool:
        return any(path == kept or path.startswith(f"{kept}/") for kept in self.kept)

    def _snapshot_path(self, path: str) -> str:
        return f"{self.selection.path}/{path}" if self.selection.path else path
