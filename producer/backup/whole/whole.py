"""Makes a snapshot whole: what exit code 0 promises.

Every file of the sources can be restored, at the moment of the seal, from the devices that are there.  What lies on
a device that died is stored again on the others, and so is what it was still to store; what fits nowhere is named,
and the snapshot is marked incomplete.
"""

from __future__ import annotations

from producer.backup.changed_files import record_restless_files, store_changed_again
from producer.backup.intake.intake import Intake
from producer.backup.sealing.as_parent import is_as_parent
from producer.backup.sealing.seal import SealedParts, commit, write_parts
from producer.backup.storing.prepare import prepare_storing
from producer.backup.storing.state.state import BackupState
from producer.backup.storing.storing import Storing
from producer.backup.whole.copying import make_copies
from producer.backup.whole.lacks import find_lacks, omit_left_over, record_away, tell_lacks
from producer.backup.whole.lost_holdings import look_again, store_lost_again
from producer.backup.whole.parity import make_parity
from producer.backup.whole.vanished_sources import refuse_vanished_sources
from producer.observer import Progress
from producer.pool.losses.away import refresh_gone
from producer.pool.losses.damage import refresh_damage
from producer.pool.losses.lost import refresh_lacks
from producer.pool.manifests.complete import bring_up_to_date
from producer.requests import BackupRequest
from producer.run.session import RunSession
from tasks.errors import SegfleetError

#: A device may come and go; after as many rounds what it holds is named instead.
_ROUNDS_COUNT = 5


class Whole:
    """The end of a backup, from the plan to the seal."""

    def __init__(
        self,
        session: RunSession,
        request: BackupRequest,
        intake: Intake,
        state: BackupState,
        storing: Storing | None = None,
    ) -> None:
        """``storing``: what has stored a part of it already, if anything has."""
        self._session = session
        self._request = request
        self._intake = intake
        self._state = state
        self._storing = storing or prepare_storing(session, request, intake, state)

    def store(self) -> None:
        """Store all segments, those of changed files and of lost devices again.

        Raises SegfleetError when a segment could not be stored anywhere, EmptySourceError, InterruptedRun.
        """
        self._store_all()
        refuse_vanished_sources(self._session.catalog, self._request, self._intake, self._state)
        store_changed_again(self._session, self._state, self._store_all)
        for _ in range(_ROUNDS_COUNT):
            if not self._store_lost_again():
                break
        record_restless_files(self._session, self._state.snapshot_id)
        for line in self._session.courier.strays().in_words():
            self._session.observer.note(line)

    def is_skipped(self) -> bool:
        """Whether the request wants no such snapshot: nothing differs from the parent, is lacking or was healed."""
        catalog, state = self._session.catalog, self._state
        if not self._request.skip_if_unchanged or self._intake.lost:
            return False
        if not all(lack.is_expected for lack in find_lacks(catalog, state)):
            return False
        snapshot = catalog.snapshots.get(state.snapshot_id)
        known, differing = self._intake.known_parts, self._intake.differing
        return is_as_parent(catalog, snapshot, state.members, known, differing)

    def seal(self) -> None:
        """Seal the snapshot, and name what it lacks.  Raises DeviceError when no device takes the manifest."""
        self._tell_sealing()
        catalog, snapshot_id = self._session.catalog, self._state.snapshot_id
        bring_up_to_date(self._session, catalog.snapshots.get(snapshot_id).pool_id, self._state.members)
        self._protect()
        written = self._write_parts()
        for _ in range(_ROUNDS_COUNT):
            # A device may die while it takes the manifest.
            if self._request.freeze:
                # The sources have changed since they were frozen.
                look_again(self._session, self._state, self._storing)
                break
            if not self._store_lost_again():
                break
            record_restless_files(self._session, snapshot_id)
            self._protect()
            written = self._write_parts()
        omit_left_over(catalog, self._state)
        snapshot = catalog.snapshots.get(snapshot_id)
        lacks = [lack.row for lack in find_lacks(catalog, self._state)]
        commit(self._session, snapshot, self._request.plan, written, lacks)
        found = find_lacks(catalog, self._state)
        with catalog.transaction():
            catalog.snapshots.set_lacks(snapshot_id, [lack.row for lack in found])
            record_away(catalog, self._state, found)
            catalog.listing.clear_sealed()
            if self._intake.lost:
                refresh_lacks(catalog, snapshot.pool_id)
            refresh_damage(catalog)
        refresh_gone(catalog, catalog.snapshots.get(snapshot_id))
        tell_lacks(self._session, snapshot_id, found)

    def _protect(self) -> None:
        make_copies(self._session, self._state, self._request.plan.copies, self._storing.orders)
        make_parity(self._session, self._state, self._request.plan.parity)

    def _write_parts(self) -> SealedParts:
        snapshot = self._session.catalog.snapshots.get(self._state.snapshot_id)
        known, differing = self._intake.known_parts, self._intake.differing
        return write_parts(self._session, snapshot, self._state.members, known, differing)

    def _store_lost_again(self) -> bool:
        if not store_lost_again(self._session, self._state, self._storing, self._store_all):
            return False
        store_changed_again(self._session, self._state, self._store_all)
        return True

    def _store_all(self) -> None:
        self._storing.run()
        if self._state.given_up:
            given_up = list(self._state.given_up.values())
            raise SegfleetError(
                f"{len(given_up)} segments could not be stored; the first: {given_up[0]}",
                hint="the snapshot is not complete; what is stored is kept; try again with: segfleet retry",
            )

    def _tell_sealing(self) -> None:
        self._session.observer.progress(
            Progress(
                phase="sealing",
                files_count=self._intake.files_count,
                bytes_total=self._intake.bytes_total,
                bytes_done=self._intake.bytes_total,
            )
        )
