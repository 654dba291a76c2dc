"""What a run changes when it goes on with the snapshot of an earlier one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import bindparam, delete, func, insert, select, update

from producer.catalog.database import Database
from producer.catalog.rows import ListingPartRow
from producer.catalog.schema import attempts, listing_parts, segments, troubles


class Resumption(Database):
    def reopen_segments(self, snapshot_id: str) -> None:
        """Plan again what was on its way or had failed, with all its tries before it, and none behind it."""
        key = self._key(snapshot_id)
        reopened = (segments.c.snapshot_key == key, segments.c.state.in_(("fed", "failed")))
        numbers = select(segments.c.number).where(*reopened)
        with self.transaction():
            self._write(delete(attempts).where(attempts.c.snapshot_key == key, attempts.c.number.in_(numbers)))
            self._write(update(segments).where(*reopened).values(state="planned", attempt=1))

    def replace_listing(self, snapshot_id: str, parts: Iterable[ListingPartRow]) -> None:
        """Put a new listing in the place of the old one."""
        key = self._key(snapshot_id)
        with self.transaction():
            self._write(delete(listing_parts).where(listing_parts.c.snapshot_key == key))
            for part in parts:
                self._write(
                    insert(listing_parts).values(
                        snapshot_key=key,
                        number=part.number,
                        first_entry=part.first_entry,
                        entries_count=part.entries_count,
                        data=part.data,
                    )
                )

    def keep_segments(self, snapshot_id: str, kept: Iterable[tuple[int, int, int]]) -> None:
        """Keep the segments (number, first entry, stop entry), at their new entries; supersede all others."""
        key = self._key(snapshot_id)
        values = [{"kept": number, "first": first, "stop": stop} for number, first, stop in kept]
        supersede = update(segments).where(segments.c.snapshot_key == key, segments.c.number == bindparam("other"))
        move = update(segments).where(segments.c.snapshot_key == key, segments.c.number == bindparam("kept"))
        with self.transaction():
            valid = select(segments.c.number).where(segments.c.snapshot_key == key, segments.c.state != "superseded")
            numbers = {row.number for row in self._read(valid)} - {value["kept"] for value in values}
            if numbers:
                self._write(supersede.values(state="superseded"), [{"other": number} for number in sorted(numbers)])
            if values:
                self._write(move.values(first_entry=bindparam("first"), stop_entry=bindparam("stop")), values)

    def next_number(self, snapshot_id: str) -> int:
        """A number that no segment of the snapshot has had."""
        statement = select(func.max(segments.c.number)).where(segments.c.snapshot_key == self._key(snapshot_id))
        highest = self._read(statement)[0][0]
        return 0 if highest is None else int(highest) + 1

    def clear_troubles(self, snapshot_id: str, *, of_walk_only: bool) -> None:
        """Forget the troubles that a new walk, or new segments, will tell again."""
        statement = delete(troubles).where(troubles.c.snapshot_key == self._key(snapshot_id))
        self._write(statement.where(troubles.c.entry_index.is_(None)) if of_walk_only else statement)

    def clear_entry_troubles(self, snapshot_id: str, entries: Sequence[int]) -> None:
        """Forget the troubles of files that are stored again."""
        of_snapshot = delete(troubles).where(troubles.c.snapshot_key == self._key(snapshot_id))
        for entry in entries:
            self._write(of_snapshot.where(troubles.c.entry_index == entry))
