"""The whole catalog as one object.

Each base class has the methods of one concept, in the module of that name; all share the connection
and the transaction of :class:`producer.catalog.database.Database`.
"""

from __future__ import annotations

from typing import Self

from producer.catalog.devices import Devices
from producer.catalog.listing import Listing
from producer.catalog.locks import Locks
from producer.catalog.reservations import Reservations
from producer.catalog.resumption import Resumption
from producer.catalog.runs import Runs
from producer.catalog.segments import Segments
from producer.catalog.snapshots import Snapshots
from producer.catalog.timings import Timings
from producer.catalog.transitions import Transitions
from producer.catalog.troubles import Troubles


class Catalog(
    Snapshots, Listing, Segments, Transitions, Resumption, Troubles, Devices, Runs, Reservations, Timings, Locks
):
    """``with Catalog(path_or_url) as catalog: ...``; thread, commit and error rules as in Database."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()
