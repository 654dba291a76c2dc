"""What the users and groups of the entries are called on this host."""

from __future__ import annotations

import grp
import pwd
from collections.abc import Callable, Iterable
from contextlib import suppress

from tasks.sources.metadata import OwnerNames


class OwnersSeen:
    """Collects numbers; names are looked up once, at the end, because a directory service may take its time."""

    def __init__(self) -> None:
        self._uids: set[int] = set()
        self._gids: set[int] = set()

    def add(self, uids: Iterable[int], gids: Iterable[int]) -> None:
        self._uids.update(uids)
        self._gids.update(gids)

    def names(self) -> OwnerNames:
        """Of those that have a name."""
        return OwnerNames(
            users=_named(self._uids, lambda uid: pwd.getpwuid(uid).pw_name),
            groups=_named(self._gids, lambda gid: grp.getgrgid(gid).gr_name),
        )


def _named(numbers: Iterable[int], name_of: Callable[[int], str]) -> dict[str, str]:
    found = {}
    for number in sorted(numbers):
        # KeyError: unknown.  OverflowError: no number that this system can have.
        with suppress(KeyError, OverflowError):
            found[str(number)] = name_of(number)
    return found
