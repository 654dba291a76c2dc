"""A device leaves on purpose: what is needed of it is copied to the others, and then it is no device of the pool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from producer.catalog.needed import NeededFinder
from producer.catalog.tables.devices import DeviceRow
from producer.catalog.tables.objects import StoredObject
from producer.catalog.unused import Unused
from producer.configuration.values.sizes import format_size
from producer.observer import Observer, Trouble
from producer.pool.copies import Copying, CopyPlan, plan_copies
from producer.pool.losses.lost import device_named
from producer.pool.parity.keeping import keep_parity
from producer.requests import RepackLimits
from producer.retention.heir_copies import copy_with_heir
from producer.retention.pruning.devices import PrunedDevice
from producer.retention.pruning.meeting import Meeting, meet, tell_where_nothing_goes
from producer.retention.pruning.members import member_of, target_of
from producer.retention.pruning.prune import PRUNE
from producer.retention.pruning.repacking.repack import Repacking
from producer.run.environment import Environment
from producer.run.locks import locked
from producer.run.session import RunNeeds, RunSession, open_session
from tasks.errors import DeviceError, DeviceFullError, NotADeviceError, UsageError

_NOTHING_UNUSED = RepackLimits(max_unused_percent=0)

REASON = "retired: what is needed of it is on the other devices"


class Retired(Struct, frozen=True, kw_only=True):
    row: DeviceRow
    objects_copied: int
    bytes_copied: int


def retire_device(name: str, devices: Mapping[str, Path], observer: Observer, environment: Environment) -> Retired:
    """Copy to the other ``devices`` what snapshots need and only this one has; from then on it counts as lost.

    Copies and parity that were asked for are made up for too, where devices are left to take them.  Deletes nothing.
    Idempotent: after a failure the device is as it was, and what was copied counts.  Raises UsageError, NotADeviceError
    when the device is not there, DeviceFullError when the others have no room, DeviceError when something could not be
    copied, LockedError beside a prune.
    """
    with (
        locked(PRUNE, f"retire device {name}", observer, environment) as holder,
        open_session(
            RunNeeds(devices=devices, purpose=f"retire device {name}", holder=holder), observer, environment
        ) as session,
    ):
        return retire_in_session(session, name)


def retire_in_session(session: RunSession, name: str) -> Retired:
    """For a session whose run holds the lock of prunes."""
    return _Retiring(session, device_named(session.catalog, name)).run()


class _Retiring:
    def __init__(self, session: RunSession, row: DeviceRow) -> None:
        self._session = session
        self._catalog = session.catalog
        self._row = row
        self._copied: list[StoredObject] = []

    def run(self) -> Retired:
        meeting = meet(self._session)
        tell_where_nothing_goes(self._session, meeting)
        staying = self._staying(meeting)
        self._repack(meeting, staying)
        plan = self._plan(staying)
        if plan.missing_count:
            raise DeviceFullError(
                f"the other devices have no room for {plan.missing_count} objects of device {self._row.name}",
                hint="free space with segfleet prune, or add a device: segfleet devices add NAME=PLACE",
            )
        self._copy(meeting, staying, plan.copyings)
        members = {device.name: member_of(device, self._bytes_on(device)) for device in staying}
        kept = keep_parity(self._session, members, self._row.pool_id, leaving=self._row.device_id)
        for why in kept.lacking:
            self._session.observer.trouble(Trouble(code="parity", message=why))
        self._leave()
        return Retired(
            row=self._catalog.devices.get(self._row.device_id),
            objects_copied=len(self._copied) + sum(device.repacked_count for device in staying),
            bytes_copied=self._bytes_done + sum(device.bytes_written for device in staying),
        )

    @property
    def _bytes_done(self) -> int:
        return sum(one.bytes_stored for one in self._copied)

    def _bytes_on(self, device: PrunedDevice) -> int:
        return sum(one.bytes_stored for one in self._copied if one.device_id == device.device_id)

    def _repack(self, meeting: Meeting, staying: list[PrunedDevice]) -> None:
        """Repack partly needed objects onto the other devices; what fits nowhere is copied whole later."""
        leaving = [device for device in meeting.writable if device.device_id == self._row.device_id]
        repacking = Repacking(
            self._session,
            meeting,
            Unused(self._catalog),
            [*staying, *leaving],
            _NOTHING_UNUSED,
            lambda _bytes_count: None,
            leaving=self._row.device_id,
        )
        repacking.run(lambda: None)

    def _staying(self, meeting: Meeting) -> list[PrunedDevice]:
        if all(device.device_id != self._row.device_id for device in meeting.devices):
            why = meeting.absent.get(self._row.name, "it is absent")
            raise NotADeviceError(
                f"device {self._row.name} cannot give away what it holds: {why}",
                hint=f"mount it; if it is gone for good: segfleet devices lost {self._row.name}",
            )
        staying = [
            device
            for device in meeting.writable
            if device.row.pool_id == self._row.pool_id and device.device_id != self._row.device_id
        ]
        if not staying:
            raise UsageError(
                f"no other device of the pool of {self._row.name} is there to take what it holds",
                hint="mount another one, or add one: segfleet devices add NAME=PLACE",
            )
        return staying

    def _needed(self) -> list[StoredObject]:
        """What the device holds and a snapshot needs, whole as far as anybody knows."""
        needed = NeededFinder(self._catalog).find()
        opened = {row.snapshot_id for row in self._catalog.snapshots.all("open")}
        return [
            one
            for one in self._catalog.objects.on_device(self._row.device_id)
            if not one.is_damaged and (one.segment_id in needed.segment_ids or one.snapshot_id in opened)
        ]

    def _plan(self, staying: list[PrunedDevice]) -> CopyPlan:
        """Each object on as many of the other devices as all have it now; on one at least."""
        rows = {row.device_id: row for row in self._catalog.devices.all(self._row.pool_id)}
        holding = {key for key, row in rows.items() if row.state != "lost"} - {self._row.device_id}
        index = self._catalog.objects.of(dict.fromkeys(one.segment_id for one in self._needed()))
        targets = [target_of(device) for device in staying]
        total = CopyPlan()
        for segment_id, objects in index.items():
            on_others = [one for one in objects if one.device_id in holding and not one.is_damaged]
            plan = plan_copies(
                {segment_id: objects},
                targets,
                copies=min(len(on_others) + 1, len(holding)),
                holding=holding,
                readable={self._row.device_id},
                sites={key: row.site for key, row in rows.items()},
            )
            total.copyings += plan.copyings
            # An object that others already have stays restorable without another copy.
            total.missing_count += 0 if on_others else plan.missing_count
        return total

    def _copy(self, meeting: Meeting, staying: list[PrunedDevice], copyings: Sequence[Copying]) -> None:
        failures = copy_with_heir(self._session, meeting, staying, copyings, self._copied)
        if failures:
            done = format_size(self._bytes_done)
            raise DeviceError(
                f"device {self._row.name} stays: {'; '.join(failures)}",
                hint=f"{done} are copied; run the same command again for the rest",
            )

    def _leave(self) -> None:
        """The index knows nothing of the device any more."""
        catalog = self._catalog
        gone = list(catalog.objects.on_device(self._row.device_id))
        with catalog.durable_transaction():
            for one in gone:
                catalog.objects.remove(one.object_id, one.device_id)
            catalog.doomed.drop_device(self._row.device_id)
            catalog.devices.set_state(self._row.device_id, "lost", REASON)
