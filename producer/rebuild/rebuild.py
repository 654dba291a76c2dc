"""A rebuild: anyone who holds the devices has the catalog.

Reads the manifests of all snapshots that the catalog does not know, from whichever device has them whole, and records
each as it was sealed.  What the catalog knows stays as it is.  Changes nothing on the devices.  A rebuild that was
interrupted is run again: what a manifest says of a snapshot is recorded whole or not at all, and what else the devices
know is looked for again, for all snapshots of the pool.  Only where damage is accepted, heads that nobody can read are
deleted.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from producer.catalog.tables.snapshots.marks import MarkedRow
from producer.manifest.tombstones import is_tombstone
from producer.observer import Observer, Progress
from producer.ownership.lock_holder import NEW_DEVICES
from producer.pool.decide import PoolDecision, decide_readable
from producer.pool.device_reports import ask_for_reports
from producer.pool.manifests.fetching import Fetcher, WantedFile, holding
from producer.rebuild.accepting import delete_heads, devices_away
from producer.rebuild.catalog_damage import drop_damaged_parts, give_up_lists, without_list
from producer.rebuild.entering import ReadManifest, enter
from producer.rebuild.heads import FoundHead
from producer.rebuild.identity import learn_generations, may_not_delete, take_place
from producer.rebuild.lost_parts import keep_what_is_left, lack_all, lacks_all, lost_parts, read_all_packs
from producer.rebuild.marking import read_marks
from producer.rebuild.parity import find_groups
from producer.rebuild.reading_heads import HeadReader
from producer.rebuild.recorded_devices import record_named, record_present
from producer.rebuild.recovered import Recovering
from producer.rebuild.replaced import drop_pruned
from producer.rebuild.stored_unknown import describe, unknown_objects
from producer.rebuild.troubles import Troubles
from producer.rebuild.unindexed import find_unindexed
from producer.requests import RebuildRequest
from producer.run.environment import Environment
from producer.run.locks import owner_of_locks
from producer.run.session import RunNeeds, RunSession, open_session
from producer.summaries import RebuildSummary
from tasks.errors import DamagedError
from tasks.orders.cleaning import ObjectContent
from tasks.receipts import DeviceReport


def rebuild(request: RebuildRequest, observer: Observer, environment: Environment) -> RebuildSummary:
    """Record in the catalog what the devices hold and it does not know.  Idempotent.

    Raises NotADeviceError, UsageError for devices of several pools or one device at two places, LockedError.
    """
    with owner_of_locks(observer, environment) as holder:
        needs = RunNeeds(devices=request.devices, purpose="rebuild", holder=holder)
        with open_session(needs, observer, environment) as session, holder.holding(NEW_DEVICES, purpose="rebuild"):
            return rebuild_in_session(session, accept_damage=request.accept_damage)


def rebuild_in_session(session: RunSession, *, accept_damage: bool = False) -> RebuildSummary:
    """For a session whose run holds the locks."""
    return _Rebuild(session, accept_damage=accept_damage).run()


class _Rebuild:
    def __init__(self, session: RunSession, *, accept_damage: bool) -> None:
        self._session = session
        self._accepts_damage = accept_damage
        self._catalog = session.catalog
        self._started_s = time.monotonic()
        self._troubles = Troubles(session.observer)
        self._segments_count = self._bytes_done = 0
        #: The snapshots of which not all of the list of tree parts could be read.
        self._without_list: set[str] = set()
        #: The snapshots that the catalog knew before.
        self._known: set[str] = set()
        #: Snapshot → its tags and pin.
        self._marks: Mapping[str, MarkedRow] = {}

    def run(self) -> RebuildSummary:
        reports, decision = self._meet()
        fetcher = Fetcher(self._session, decision.ready)
        names = fetcher.names()
        self._known = known = self._catalog.snapshots.known_ids()
        buried, listless = _buried(names), self._damaged_lists(decision)
        reader = HeadReader(fetcher, decision, self._troubles)
        heads = reader.read(names, known - (listless - buried))
        device_names = record_named(self._catalog, decision, [found.head for found in heads])
        self._marks = read_marks(fetcher, names, {found.head.snapshot_id for found in heads} - buried)
        added = [
            found
            for found in heads
            if self._add(fetcher, decision, names, found, device_names, is_buried=found.head.snapshot_id in buried)
            and found.head.snapshot_id not in buried | listless
        ]
        give_up_lists(self._catalog, listless)
        # Also those that were not added now: a killed rebuild may have recorded them and stopped before this step.
        sealed = [row.snapshot_id for row in self._catalog.snapshots.all() if row.pool_id == decision.pool_id]
        partial = self._keep_what_is_left(fetcher, names, sealed)
        drop_pruned(self._session, decision.ready)
        unknown = self._unknown_objects(decision)
        self._segments_count += find_unindexed(self._session, decision.ready, sealed, unknown, self._troubles)
        catalogs = {self._catalog.generations.catalog_id, *(reports[name].catalog_id for name in decision.ready)}
        recovering = Recovering(self._session, decision.ready, names, buried=buried, catalogs=catalogs)
        recovered = recovering.run(unknown, partial)
        find_groups(self._session, decision.ready, lambda message: self._troubles.tell("parity", message))
        self._settle_identity(decision, [reports[name] for name in decision.ready], names, reader.headless)
        return RebuildSummary(
            snapshots=len(added) + len(recovered),
            snapshots_known=len(known),
            volumes=len({*(found.head.volume for found in added), *recovered}),
            segments=self._segments_count,
            errors=self._troubles.count,
            duration_s=round(time.monotonic() - self._started_s, 3),
            exit_code=3 if self._troubles.count else 0,
        )

    def _damaged_lists(self, decision: PoolDecision) -> set[str]:
        """The snapshots whose trees are to be read from the devices again; damaged parts are dropped at once."""
        rows = self._catalog.snapshots.all()
        listless = without_list(self._catalog, [row.snapshot_id for row in rows if row.pool_id == decision.pool_id])
        damaged_count = drop_damaged_parts(self._catalog)
        if listless or damaged_count:
            self._session.observer.note(
                f"the catalog is damaged (lists of entries lost: {len(listless)}, tree parts: {damaged_count}): "
                "what it lacks is read from the devices"
            )
        return listless

    def _meet(self) -> tuple[dict[str, DeviceReport], PoolDecision]:
        """Ask the devices what they are, and record those that are there."""
        session = self._session
        reports = ask_for_reports(session, may_lose=session.paths).wait()
        decision = decide_readable(reports, session.paths)
        for name, why in decision.absent.items():
            self._troubles.tell("device-absent", f"device {name} is absent: {why}", device=name)
        record_present(self._catalog, decision, reports, session.paths, session.link.published_epoch)
        return reports, decision

    def _settle_identity(
        self,
        decision: PoolDecision,
        reports: Sequence[DeviceReport],
        names: Mapping[str, frozenset[str]],
        headless: Sequence[str],
    ) -> None:
        if not self._troubles.is_whole and not self._may_accept_damage(decision):
            # This catalog lacks something that the lost one knew: it may read and store, but delete nothing.
            if may_not_delete(self._catalog, reports):
                self._session.observer.note(
                    "prune will free no space on these devices: manifests are damaged, so this catalog may lack "
                    "something that the lost one knew; look at what there is (segfleet snapshots, check), then count "
                    "the rest as lost: segfleet rebuild --accept-damage"
                )
            return
        other = take_place(self._catalog, reports)
        if other:
            self._session.observer.note(
                f"this catalog takes the place of {other[:8]}, which made these devices; stop using that one"
            )
        learn_generations(self._catalog, reports)
        for why in delete_heads(self._session, decision.ready, names, headless):
            self._troubles.manifest(f"a damaged head stays: {why}")

    def _may_accept_damage(self, decision: PoolDecision) -> bool:
        away = devices_away(self._catalog, decision) if self._accepts_damage else []
        for name in away:
            why = "is absent, and may have what is damaged on the others; name it, or: segfleet devices lost"
            self._troubles.tell("device-absent", f"the damage is not accepted: device {name} {why} {name}", device=name)
        return self._accepts_damage and not away

    def _add(
        self,
        fetcher: Fetcher,
        decision: PoolDecision,
        names: Mapping[str, frozenset[str]],
        found: FoundHead,
        device_names: Mapping[str, str],
        *,
        is_buried: bool,
    ) -> bool:
        """Whether the snapshot is in the catalog now.  A forgotten one brings only what others may need."""
        lent = [part for part in found.head.parts if not is_buried or part.kind in ("pack", "index")]
        manifest, parts = ReadManifest(found=found), {part.name: part for part in lent}

        def take(name: str, data: bytes) -> None:
            manifest.take(parts[name], data, self._catalog)
            self._bytes_done += len(data)
            self._session.observer.progress(Progress(phase="reading", bytes_total=0, bytes_done=self._bytes_done))

        snapshot_id = found.head.snapshot_id
        try:
            wanted = [
                WantedFile(name=part.name, devices=holding(names, part.name), digest=part.blake3) for part in lent
            ]
            missing = fetcher.whole(wanted, take)
            for name, why in missing.items():
                self._troubles.manifest(f"manifest part {name}: {why}", snapshot_id)
            if any(parts[name].kind == "tree" for name in missing):
                self._without_list.add(snapshot_id)
            holders = [decision.ready[device] for device in found.devices]
            with self._catalog.transaction():
                self._segments_count += enter(self._catalog, manifest, holders, device_names)
                if snapshot_id in self._without_list:
                    # Until it is known what is left.
                    lack_all(self._catalog, snapshot_id)
                if is_buried:
                    self._catalog.marks.forget([snapshot_id])
                elif snapshot_id in self._marks and snapshot_id not in self._known:
                    # At once: the next rebuild already knows the snapshot, and does not look for its pin.
                    self._catalog.marks.restore(self._marks[snapshot_id])
        except DamagedError as error:
            self._troubles.manifest(f"snapshot {snapshot_id[:8]} cannot be rebuilt: {error}", snapshot_id)
            return False
        return True

    def _keep_what_is_left(self, fetcher: Fetcher, names: Mapping[str, frozenset[str]], ids: Sequence[str]) -> set[str]:
        """Mark the snapshots of which parts of the tree are lost as incomplete, and name them; returns their ids."""
        self._without_list.update(one for one in ids if lacks_all(self._catalog.snapshots.get(one)))
        lost = lost_parts(self._catalog, ids, lambda: read_all_packs(self._catalog, fetcher, names))
        partial = {one for one in ids if one in lost or one in self._without_list}
        for one in sorted(partial):
            is_list_lost = one in self._without_list
            lack = keep_what_is_left(self._catalog, one, lost.get(one, ()), is_list_lost=is_list_lost)
            what = "the list of its tree is lost" if is_list_lost else f"{len(lost[one])} parts of its tree are lost"
            self._troubles.manifest(f"snapshot {one[:8]} is incomplete: {what}, with {lack.files_count} files", one)
        return partial

    def _unknown_objects(self, decision: PoolDecision) -> list[tuple[str, ObjectContent]]:
        """(device, object) of what lies on the devices and is in no index."""
        found: list[tuple[str, ObjectContent]] = []
        unknown = unknown_objects(self._session, decision.ready)
        describe(self._session, decision.ready, unknown, lambda device, content: found.append((device, content)))
        return found


def _buried(names: Mapping[str, frozenset[str]]) -> set[str]:
    """The snapshots of which a device has a tombstone."""
    there = frozenset().union(*names.values())
    return {name.partition(".")[0] for name in there if is_tombstone(name)}
