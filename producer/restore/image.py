"""A restore of one raw volume: to a block device, or into an image file.

::

    [1] the target: refused, or prepared; ranges that no segment holds become zeros   (workers/target/image.py)
    [2] the segments: all data, from all devices at once, each piece at its offset
    [3] ranges that could not be restored become zeros: the target may have held something else
    [4] the target is synced
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.host.scouting.looks import look
from producer.observer import Observer
from producer.pool.present import present_devices
from producer.raw.ranges import Range, gaps, merged
from producer.requests import UNNAMED_TARGET, RestoreRequest
from producer.restore.missing import tell_what_is_absent, tell_what_was_not_stored
from producer.restore.planning.selection import Selection
from producer.restore.restore import run_restore
from producer.restore.restore_run import RestoreRun
from producer.run.environment import Environment
from producer.run.session import RunSession
from producer.run.wave import run_wave
from producer.summaries import RestoreSummary
from tasks.errors import DeviceError, SegfleetError
from tasks.orders import PrepareImage

_AGAIN = "run the restore again with --force"

#: Zero ranges in one order: 64 KiB of JSON.
_RANGES_COUNT = 2000


def raw_volume_meant(snapshot: SnapshotRow, path: str) -> str | None:
    """The raw source whose image ``path`` means ("" for the only source of the snapshot); None when it means files."""
    raw_volumes = {source.name for source in snapshot.sources if source.mode == "raw"}
    if not path and len(snapshot.sources) == 1:
        path = snapshot.sources[0].name
    return path if path in raw_volumes else None


def restore_image(
    request: RestoreRequest, raw_volume: str, observer: Observer, environment: Environment, *, force: bool
) -> RestoreSummary:
    """Write the image of source ``raw_volume`` to ``request.target``, a block device or an image file.

    Raises SegfleetError: a target that is mounted, too small, or (without ``force``) not empty; no device; and so on.
    What cannot be restored is reported to the observer (exit code 3) and becomes zeros.
    """
    return run_restore(
        request, observer, environment, lambda session: _ImageRestore(session, request, raw_volume, force=force)
    )


class _RawVolumeSelection(Selection, frozen=True, kw_only=True):
    """Selects one source, which goes to the target itself."""

    raw_volume: str

    def target_path(self, snapshot_path: str, *, is_directory: bool) -> str | None:
        return "" if snapshot_path == self.raw_volume else None


class _ImageRestore(RestoreRun):
    _always_with_holes = True

    def __init__(self, session: RunSession, request: RestoreRequest, raw_volume: str, *, force: bool) -> None:
        self._force, self._raw_volume = force, raw_volume
        super().__init__(
            session, request, _RawVolumeSelection(path=raw_volume, include=None, exclude=None, raw_volume=raw_volume)
        )

    def run(self, started_s: float) -> RestoreSummary:
        self._entries.present = present_devices(self._session, [self._snapshot])
        self._plan.prefer(self._present)
        zeros = gaps(merged(self._stored_ranges()), self._wanted.bytes_total)
        self._prepare(zeros)
        tell_what_was_not_stored(self._plan, self._outcome)
        # A lost range does not cost the rest of the raw volume.
        tell_what_is_absent(self._plan, self._outcome)
        self._restore_segments()
        self._make_zeros(self._outcome.holes.ranges("", self._wanted.bytes_total))
        self._order_image([], finish=True)
        self._tell_progress()
        return self._outcome.summary(started_s)

    def _name_of_target(self) -> str:
        return self._raw_volume

    def _stored_ranges(self) -> Iterator[Range]:
        for holder in self._plan.holders():
            for pick in self._plan.picks(holder):
                yield Range(pick.offset_bytes, pick.offset_bytes + pick.size_bytes)

    def _prepare(self, zeros: Sequence[Range]) -> None:
        """The first order decides whether the target may be written; further ones bring more ranges."""
        self._order_image(zeros[:_RANGES_COUNT], force=self._force)
        self._make_zeros(zeros[_RANGES_COUNT:])

    def _make_zeros(self, ranges: Sequence[Range]) -> None:
        """Make ranges zeros to which no piece will be written."""
        if self._is_new_file():
            return
        for start in range(0, len(ranges), _RANGES_COUNT):
            self._order_image(ranges[start : start + _RANGES_COUNT])

    def _is_new_file(self) -> bool:
        """Whether the target was empty, so that it has zeros wherever no piece is written."""
        is_here = self._request.target_name == UNNAMED_TARGET
        return is_here and not self._force and not look(self._request.target, Path.is_block_device)

    def _order_image(self, zeros: Sequence[Range], *, force: bool = True, finish: bool = False) -> None:
        live = [item for item in self._present.items() if item[1] in self._session.courier.live]
        if not live:
            raise DeviceError("no device is left, so the target cannot be finished", hint=_AGAIN)
        device_id, device = live[0]
        order = PrepareImage(
            order_id=uuid.uuid4().hex,
            target=self._request.target_name,
            size_bytes=self._wanted.bytes_total,
            zero_offsets_bytes=tuple(item.start for item in zeros),
            zero_sizes_bytes=tuple(item.size_bytes for item in zeros),
            force=force,
            finish=finish,
            **self._session.order_fields(device, device_id=device_id),
        )
        for name, why in run_wave(self._session, {device: [order]}, self._take).items():
            raise SegfleetError(f"device {name} died while the target was prepared: {why}", hint=_AGAIN)
