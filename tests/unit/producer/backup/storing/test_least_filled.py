"""Where the segments of a lost device find room: beside what others have to store, and outside of their reserves."""

from __future__ import annotations

from pathlib import Path

import pytest

from kit.models.offline import GIB, Devices, Offline, backup_request
from kit.tree import Tree, noise
from producer.backup.intake.intake import Intake
from producer.backup.storing.least_filled import least_filled
from producer.catalog.catalog import Catalog
from producer.catalog.tables.segments.rows import SegmentRow
from tasks.errors import DeviceFullError

#: One segment each, as the plan has it; nothing is taken to compress.
FILE_BYTES = 60_000


class Lost:
    """A plan of twelve segments for the devices a, b and c, of which c is lost."""

    def __init__(self, catalog: Catalog, folder: Path) -> None:
        self.catalog = catalog
        sources = {"data": Tree({f"{n:02}": noise(FILE_BYTES, seed=n) for n in range(12)}).make(folder / "data")}
        run = Offline(catalog, ["a", "b", "c"], Devices(sources))
        self.intake: Intake = run.plan(backup_request(sources, "a b c", bundle=False))
        self.intake.members["c"].state = "dead"
        self.state = run.state

    @property
    def rows(self) -> list[SegmentRow]:
        return [row for row in self.catalog.segments.valid(self.intake.snapshot_id) if row.device == "c"]

    def targets(self) -> list[str]:
        return sorted(least_filled(self.catalog, self.state, self.rows).values())


@pytest.fixture
def lost(catalog: Catalog, tmp_path: Path) -> Lost:
    return Lost(catalog, tmp_path)


def test_devices_with_room_share_what_is_left(lost: Lost) -> None:
    assert lost.targets() == ["a", "a", "b", "b"]


def test_a_reserve_is_kept(lost: Lost) -> None:
    a = lost.intake.members["a"]
    a.reserve_bytes = a.free_bytes - FILE_BYTES * 5
    assert lost.targets() == ["a", "b", "b", "b"]


def test_room_is_kept_for_what_a_device_has_to_store_already(lost: Lost) -> None:
    lost.intake.members["a"].free_bytes = FILE_BYTES * 5
    assert lost.targets() == ["a", "b", "b", "b"]


def test_the_reserve_is_used_before_the_run_ends(lost: Lost) -> None:
    for name in "ab":
        lost.intake.members[name].reserve_bytes = 1000 * GIB
    assert lost.targets() == ["a", "a", "b", "b"]


def test_what_fits_nowhere_ends_the_run(lost: Lost) -> None:
    for name in "ab":
        lost.intake.members[name].free_bytes = FILE_BYTES - 1
    with pytest.raises(DeviceFullError):
        lost.targets()
