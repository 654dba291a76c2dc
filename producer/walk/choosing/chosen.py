"""Which paths of a source are wanted, where a list names them."""

from __future__ import annotations

from collections.abc import Collection, Iterable


class Chosen:
    """The paths that a list names, relative to their source, and the folders on the way to them.

    What a named folder contains is wanted too.  Without a list (``paths`` is None) all is wanted.
    """

    def __init__(self, paths: Iterable[str] | None) -> None:
        self.is_list = paths is not None
        self._wanted = {""} if paths is None else set(paths)
        #: Folder → the names in it that are wanted, or lead to what is.
        self._names: dict[str, set[str]] = {}
        self._narrow: set[str] = set()
        for path in self._wanted:
            self._make_way(path)

    def _make_way(self, path: str) -> None:
        while path:
            folder, _, name = path.rpartition("/")
            names = self._names.setdefault(folder, set())
            if name in names:
                return
            names.add(name)
            path = folder

    def names_in(self, folder: str) -> Collection[str]:
        """The names in ``folder`` that no rule leaves out: they are named, or lead to what is."""
        return self._names.get(folder, ())

    def is_named(self, path: str) -> bool:
        return path in self._wanted

    def is_way(self, path: str) -> bool:
        """Whether something below ``path`` is named."""
        return path in self._names

    def has_all_of(self, folder: str) -> bool:
        """Whether all that ``folder`` contains is wanted, and not just what is named in it."""
        if not self.is_list:
            return True
        while folder not in self._wanted:
            if not folder or folder in self._narrow:
                return False
            folder = folder.rpartition("/")[0]
        return True

    def narrow(self, folder: str) -> None:
        """Want only what is named of ``folder``, if anything is: a rule leaves out the rest."""
        if folder in self._names:
            self._narrow.add(folder)

    def outermost(self, path: str) -> str:
        """The nearest folder at or above ``path`` that is named, or on the way; "" is the source."""
        while path and path not in self._wanted and path not in self._names:
            path = path.rpartition("/")[0]
        return path

    def reaches(self, folder: str) -> bool:
        """Whether the walk enters ``folder``."""
        return self.is_way(folder) or self.has_all_of(folder)
