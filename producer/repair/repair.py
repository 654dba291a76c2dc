"""A repair: what one device lacks and another has, or parity gives, is copied back."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from itertools import chain

from producer.catalog.tables.objects import StoredObject
from producer.observer import Observer, Trouble
from producer.ownership.lock_holder import NEW_DEVICES
from producer.pool.copies import Copying, CopyTarget, copies_to_make_again
from producer.pool.copying import copy_objects
from producer.pool.decide import PoolDecision, decide_readable
from producer.pool.device_reports import ask_for_reports
from producer.pool.known import word_for_new_disk
from producer.pool.losses.away import refresh_away
from producer.pool.losses.damage import refresh_damage
from producer.pool.losses.missing import find_missing
from producer.pool.manifests.complete import complete_manifests
from producer.pool.manifests.unknown_snapshots import tell_unknown_snapshots
from producer.pool.members import Member, record_members, record_not_found
from producer.pool.parity.checking import verify_parity
from producer.pool.parity.group_reads import GroupReads
from producer.pool.parity.keeping import keep_parity
from producer.pool.storing.made_again import MadeAgain
from producer.pool.storing.sources import SourcesToRead, sources_to_read
from producer.repair.left import damaged_in_words, lost_in_words
from producer.requests import RepairRequest
from producer.run.environment import Environment
from producer.run.locks import owner_of_locks
from producer.run.session import RunNeeds, RunSession, open_session
from producer.summaries import RepairSummary

MakeLostAgain = Callable[[RunSession, SourcesToRead], MadeAgain]


def repair(
    request: RepairRequest,
    observer: Observer,
    environment: Environment,
    make_lost_again: MakeLostAgain,
) -> RepairSummary:
    """Give each device that is there what it lacks: manifests, objects that have a copy or parity, and rows of parity.

    ``make_lost_again``: what no device has any more, from parity and from the sources.  Idempotent.  What is on no
    device then, and has changed at its source, is named.  Raises NotADeviceError, UsageError for devices of several
    pools, LockedError.
    """
    with owner_of_locks(observer, environment) as holder:
        sources = sources_to_read(holder.catalog)
        needs = RunNeeds(devices=request.devices, sources=sources.roots, purpose="repair", holder=holder)
        with open_session(needs, observer, environment) as session, holder.holding(NEW_DEVICES, purpose="repair"):
            return repair_in_session(session, sources, make_lost_again)


def repair_in_session(session: RunSession, sources: SourcesToRead, make_lost_again: MakeLostAgain) -> RepairSummary:
    """For a session whose run holds the lock of new devices, and whose workers can read the roots of ``sources``."""
    return _Repair(session, sources, make_lost_again).run()


class _Repair:
    def __init__(self, session: RunSession, sources: SourcesToRead, make_lost_again: MakeLostAgain) -> None:
        self._session = session
        self._sources = sources
        self._make_lost_again = make_lost_again
        self._started_s = time.monotonic()
        self._errors_count = 0

    def run(self) -> RepairSummary:
        decision, members = self._meet()
        snapshots = [row for row in self._session.catalog.snapshots.all() if row.pool_id == decision.pool_id]
        completed = complete_manifests(self._session, snapshots, members, to=members)
        for failure in completed.failures:
            self._tell("manifest", failure)
        self._mark_missing(members)
        copied_count = self._copy_back(members) + self._make_by_parity(members)
        made = self._make_what_is_lost(members)
        self._complete_parity(members, decision.pool_id)
        refresh_damage(self._session.catalog)
        refresh_away(self._session.catalog, decision.pool_id)
        damaged = Counter(row.device for row in self._damaged(members))
        for device, count in damaged.items():
            self._tell("damaged", damaged_in_words(device, count), device=device)
        for device, lost in lost_in_words(self._session.catalog, self._sources.sources):
            self._tell("lost", lost, device=device)
        return RepairSummary(
            snapshots=len(snapshots),
            manifests_completed=completed.snapshots_count,
            objects_copied=copied_count + made.made_count,
            files_healed=made.files_healed,
            bytes_healed=made.bytes_healed,
            objects_damaged=damaged.total(),
            errors=self._errors_count,
            duration_s=round(time.monotonic() - self._started_s, 3),
            exit_code=3 if self._errors_count else 0,
        )

    def _meet(self) -> tuple[PoolDecision, dict[str, Member]]:
        session = self._session
        reports = ask_for_reports(session, may_lose=session.paths).wait()
        decision = decide_readable(reports, session.paths)
        for name, why in decision.absent.items():
            if reports[name].condition == "empty":
                why += f"; for a new disk: {word_for_new_disk(name, session.paths[name])}"
            self._tell("device-absent", f"device {name} is absent: {why}", device=name)
        record_not_found(session.catalog, decision.absent, session.paths)
        if tell_unknown_snapshots(session, {device_id: name for name, device_id in decision.ready.items()}):
            self._errors_count += 1
        members = record_members(session.catalog, decision, reports, session.paths, session.link.published_epoch)
        for name in decision.ready:
            if reports[name].condition != "ready":
                self._tell("device", f"device {name} cannot be written: {reports[name].detail}", device=name)
        return decision, members

    def _needed(self) -> dict[str, list[StoredObject]]:
        """Segment → its objects, of all that a snapshot needs."""
        catalog, needed = self._session.catalog, dict[str, None]()
        for snapshot in catalog.snapshots.all():
            needed |= dict.fromkeys(catalog.trees.of(snapshot.snapshot_id).parts_of_segments)
        # Others need the parity of objects that are no longer needed themselves.
        return catalog.objects.of(needed | dict.fromkeys(sorted(catalog.parity.closed(needed))))

    def _mark_missing(self, members: dict[str, Member]) -> None:
        """Mark objects as damaged that are no longer on their device, or have another size.

        The next backup stores what they held again, and lists and restores look elsewhere meanwhile.
        """
        missing, failed = find_missing(self._session, chain.from_iterable(self._needed().values()), members)
        for device, why in failed.items():
            self._tell("device-dead", f"device {device}: {why}; what it holds was not examined", device=device)
        for object_id, device_id in missing:
            self._session.catalog.objects.mark(object_id, device_id, is_damaged=True)

    def _copy_back(self, members: dict[str, Member]) -> int:
        """Replace damaged objects that another device has whole by copies of these; returns how many."""
        names = {one.device_id: one.name for one in members.values() if one.is_live}
        copyings = list(copies_to_make_again(self._needed(), names))

        def made(one: Copying, member: Member) -> None:
            self._session.catalog.objects.mark(one.object.object_id, member.device_id, is_damaged=False)

        copied = copy_objects(self._session, members, copyings, made)
        for why in copied.failures:
            self._tell("copies", why)
        return copied.made_count

    def _make_by_parity(self, members: dict[str, Member]) -> int:
        """Replace damaged objects that no device has whole by what parity gives; returns how many."""
        present = {one.device_id: one.name for one in members.values() if one.is_live}
        groups, copyings = GroupReads(self._session.catalog), list[Copying]()
        for one in self._damaged(members):
            place = groups.place(one, present) if one.device_id in present else None
            if place is not None:
                target = CopyTarget(
                    name=present[one.device_id],
                    device_id=one.device_id,
                    load_bytes=0,
                    room_bytes=one.bytes_stored,
                )
                copyings.append(Copying(object=one, target=target, group=place.group))

        def made(one: Copying, member: Member) -> None:
            self._session.catalog.objects.mark(one.object.object_id, member.device_id, is_damaged=False)

        copied = copy_objects(self._session, members, copyings, made)
        for why in copied.failures:
            self._tell("parity", why)
        return copied.made_count

    def _make_what_is_lost(self, members: dict[str, Member]) -> MadeAgain:
        made = self._make_lost_again(self._session, self._sources)
        for name, bytes_count in made.loads_bytes.items():
            members[name].free_bytes -= bytes_count
        for why in made.failures:
            self._tell("repair", f"not everything was rebuilt: {why}")
        return made

    def _complete_parity(self, members: dict[str, Member], pool_id: str) -> None:
        """Write again the rows of parity that are missing, damaged or on lost devices, in new groups where need be."""
        live = {one.device_id: one.name for one in members.values() if one.is_live}
        verify_parity(self._session, live, read_data=False)
        kept = keep_parity(self._session, members, pool_id)
        for why in kept.lacking:
            self._tell("parity", why)
        if kept.made_count:
            self._session.observer.note(f"parity: {kept.made_count} files were rewritten")

    def _damaged(self, members: dict[str, Member]) -> list[StoredObject]:
        ids = {one.device_id for one in members.values()}
        objects = chain.from_iterable(self._needed().values())
        return [one for one in objects if one.is_damaged and one.device_id in ids]

    def _tell(self, code: str, message: str, device: str = "") -> None:
        self._errors_count += 1
        self._session.observer.trouble(Trouble(code=code, message=message, device=device))
