"""Owners of restored entries: by name where this host knows the name, by number where it does not."""

from __future__ import annotations

import grp
import pwd
from collections.abc import Callable, Mapping

from msgspec.structs import replace

from tasks.orders import TargetEntry
from tasks.sources.metadata import OwnerNames


class LocalOwners:
    """Numbers of this host for the numbers of a snapshot.  Each name is looked up once."""

    def __init__(self, names: OwnerNames) -> None:
        self._uids = _local(names.users, lambda name: pwd.getpwnam(name).pw_uid)
        self._gids = _local(names.groups, lambda name: grp.getgrnam(name).gr_gid)

    def uid(self, number: int) -> int:
        return self._uids.get(number, number)

    def gid(self, number: int) -> int:
        return self._gids.get(number, number)

    def localized(self, entry: TargetEntry) -> TargetEntry:
        """The entry with the owner that it gets here."""
        uid, gid = self.uid(entry.uid), self.gid(entry.gid)
        return entry if (uid, gid) == (entry.uid, entry.gid) else replace(entry, uid=uid, gid=gid)


def _local(names: Mapping[str, str], number_of: Callable[[str], int]) -> dict[int, int]:
    found = {}
    for number, name in names.items():
        try:
            found[int(number)] = number_of(name)
        except (KeyError, UnicodeEncodeError):
            continue
    return found
