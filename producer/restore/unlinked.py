"""Hard links that the target did not take, and that get the data themselves."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from tasks.orders import RestoreEntries, TargetEntry
from tasks.receipts import RestoreResult

#: The file that it links to was kept, and is not that of the snapshot.
_OTHER_FILE = "other-file"
#: The file that it links to has as many links as the target's file system takes.
_TOO_MANY = "too-many-links"


class Unlinked(Struct, kw_only=True):
    """The links that wait for their data."""

    other_file: list[TargetEntry] = field(default_factory=list)
    too_many: list[TargetEntry] = field(default_factory=list)

    def take(self, order: RestoreEntries, result: RestoreResult) -> set[str]:
        """Note the links that the order could not make; returns their paths."""
        codes = {trouble.path: trouble.code for trouble in result.troubles if trouble.code in (_OTHER_FILE, _TOO_MANY)}
        for entry in order.entries if codes else ():
            if entry.path in codes:
                (self.too_many if codes[entry.path] == _TOO_MANY else self.other_file).append(entry)
        return set(codes)

    def all(self) -> list[TargetEntry]:
        return self.other_file + self.too_many


def in_place_of_links(links: Sequence[TargetEntry]) -> tuple[dict[str, str], list[TargetEntry]]:
    """File → its first link, which gets the data; and all other links, as links to the first ones."""
    places: dict[str, str] = {}
    for entry in links:
        places.setdefault(entry.link, entry.path)
    firsts = set(places.values())
    return places, [replace(link, link=places[link.link]) for link in links if link.path not in firsts]
