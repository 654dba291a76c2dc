"""The whole catalog as one object: one open database, and one attribute for each group of tables."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Self

from producer.catalog.database.database import Database
from producer.catalog.database.version import Version
from producer.catalog.tables.checks import Checks
from producer.catalog.tables.devices import Devices
from producer.catalog.tables.doomed import Doomed
from producer.catalog.tables.garbage import Garbage
from producer.catalog.tables.generations import Generations
from producer.catalog.tables.listing import Listing
from producer.catalog.tables.locks import Locks
from producer.catalog.tables.objects import Objects
from producer.catalog.tables.owners import Owners
from producer.catalog.tables.parity import Parity
from producer.catalog.tables.redundancy import Redundancy
from producer.catalog.tables.reservations import Reservations
from producer.catalog.tables.runs import Runs
from producer.catalog.tables.segments.cells import Cells
from producer.catalog.tables.segments.segments import Segments
from producer.catalog.tables.segments.totals import Totals
from producer.catalog.tables.segments.transitions import Transitions
from producer.catalog.tables.snapshots.lending import Lending
from producer.catalog.tables.snapshots.marks import Marks
from producer.catalog.tables.snapshots.remains import Remains
from producer.catalog.tables.snapshots.snapshots import Snapshots
from producer.catalog.tables.trees import Trees
from producer.catalog.tables.troubles import Troubles


class Catalog:
    """``with Catalog(path_or_url) as catalog: catalog.snapshots.find("latest")``.

    Belongs to the thread that opened it: another thread or process opens its own.  Every method that writes, of the
    catalog and of its groups, commits by itself, or takes part in the :meth:`transaction` around it.  Every method
    raises CatalogError when the database fails.
    """

    def __init__(self, location: str | Path) -> None:
        """Open the catalog at a path or URL; create or migrate it first if necessary."""
        self._database = database = Database(location)
        self.snapshots = Snapshots(database)
        self.marks = Marks(database)
        self.remains = Remains(database)
        self.lending = Lending(database)
        self.listing = Listing(database)
        self.trees = Trees(database)
        self.segments = Segments(database)
        self.cells = Cells(database)
        self.objects = Objects(database)
        self.parity = Parity(database)
        self.redundancy = Redundancy(database)
        self.transitions = Transitions(database, self.objects)
        self.totals = Totals(database)
        self.troubles = Troubles(database)
        self.devices = Devices(database)
        self.generations = Generations(database)
        self.doomed = Doomed(database)
        self.garbage = Garbage(database)
        self.runs = Runs(database)
        self.checks = Checks(database)
        self.reservations = Reservations(database)
        self.owners = Owners(database)
        self.locks = Locks(database)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the connection; idempotent."""
        self._database.close()

    @property
    def is_shared(self) -> bool:
        """Whether processes of several hosts may use the catalog: a SQLite file is for one host."""
        return self._database.is_shared

    @property
    def place(self) -> str:
        """Where the catalog is, for a person: its file, or its URL without a password."""
        return self._database.place

    @property
    def why_read_only(self) -> str:
        """Why everything that writes raises CatalogError: no room, or no permission; "" if it does not."""
        return self._database.why_read_only

    def reading(self) -> AbstractContextManager[None]:
        """One look: all that is read inside comes from one transaction."""
        return self._database.reading()

    def version(self) -> Version:
        """Equal to an earlier one of this object only if nobody has changed the catalog since.

        Ask before reading what is to be kept for it, inside the same :meth:`reading`.
        """
        return self._database.version()

    def transaction(self) -> AbstractContextManager[None]:
        """Commit everything written inside at the end, or nothing if an error leaves the block.

        A batch of receipts in one transaction is one commit.  A transaction inside another is part of it.
        """
        return self._database.transaction()

    def durable_transaction(self) -> AbstractContextManager[None]:
        """As :meth:`transaction`, and it survives a power cut, with all that was committed before.

        For what is deleted on the strength of it.  It is no part of another transaction.
        """
        return self._database.durable_transaction()

    def write_as(self, owner_id: str) -> None:
        """From now on write only while this owner is recorded; afterwards every write raises LockedError.

        The owner is looked up inside each transaction that writes, and cannot be removed before it has ended.  So a
        process that stood still while somebody took over its locks changes nothing when it continues.
        "": write freely.
        """
        self._database.write_as(owner_id)

    def confirm_writer(self) -> None:
        """Raise LockedError if a write would: before something outside the catalog that relies on a lock."""
        self._database.confirm_writer()
