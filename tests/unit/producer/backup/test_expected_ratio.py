"""What a snapshot's segments are expected to take: as the volume tells, then as the snapshot itself does."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from kit.models.offline import Devices, Offline, backup_request, report
from kit.tree import Tree, noise
from producer.backup.expected_ratio import ratio_of_volume, ratio_so_far, ratio_with_compared
from producer.backup.whole.whole import Whole
from producer.catalog.catalog import Catalog
from producer.catalog.tables.snapshots.rows import NewSnapshot
from tasks.errors import DeviceFullError

KIB = 1024


class Begun:
    """A first backup of 600 KiB to the devices a and b, planned; what is stored of it takes half its size."""

    def __init__(self, catalog: Catalog, folder: Path) -> None:
        self.sources = {"data": Tree({"large": noise(600 * KIB)}).make(folder / "data")}
        self.devices = Devices(self.sources)
        self.run = Offline(catalog, ["a", "b"], self.devices)
        self.intake = self.run.plan(backup_request(self.sources))

    @property
    def ratio(self) -> float:
        return ratio_so_far(self.run.catalog, self.intake.snapshot_id)

    def go_on_without_b(self, free_bytes: int) -> Offline:
        """The next run, as far as its plan; a has room for ``free_bytes``."""
        self.devices.reports["a"] = replace(self.devices.reports["a"], free_bytes=free_bytes)
        again = Offline(self.run.catalog, ["a"], self.devices)
        again.plan(backup_request(self.sources, "a"))
        return again


@pytest.fixture
def begun(catalog: Catalog, tmp_path: Path) -> Begun:
    return Begun(catalog, tmp_path)


def test_nothing_of_a_new_volume_is_expected_to_compress(begun: Begun) -> None:
    assert begun.ratio == 1.0


def test_what_the_user_expects_counts_until_the_first_segments_are_stored(catalog: Catalog, tmp_path: Path) -> None:
    sources = {"data": Tree({"large": noise(600 * KIB)}).make(tmp_path / "data")}
    devices = Devices(sources)
    for name in "ab":
        small = report(condition="ready", device_id=name * 32, pool_id="1" * 32, free_bytes=100 * KIB)
        devices.reports[name] = small
    run = Offline(catalog, ["a", "b"], devices)
    with pytest.raises(DeviceFullError) as caught:
        run.plan(backup_request(sources))
    assert "--expect-ratio" in caught.value.hint

    intake = Offline(catalog, ["a", "b"], devices).plan(replace(backup_request(sources), expect_ratio=4.0))
    assert ratio_so_far(catalog, intake.snapshot_id) == 0.25


def test_the_first_stored_segments_tell_what_the_others_take(begun: Begun) -> None:
    begun.run.store(begun.intake, count=2)
    assert begun.ratio == pytest.approx(0.55)


def test_the_work_of_an_absent_device_goes_where_it_fits_compressed(begun: Begun) -> None:
    begun.run.store(begun.intake, count=1)
    again = begun.go_on_without_b(free_bytes=200 * KIB)
    assert again.state.load_bytes("a") == 600 * KIB


def test_the_work_of_an_absent_device_that_fits_nowhere_is_refused_with_the_bytes_it_needs(begun: Begun) -> None:
    begun.run.store(begun.intake, count=1)
    with pytest.raises(DeviceFullError, match=r"segment \d+, expected to take 33792 bytes, fits on no device"):
        begun.go_on_without_b(free_bytes=20 * KIB)


def test_a_snapshot_that_stored_nothing_says_nothing_of_the_ratio(begun: Begun) -> None:
    catalog = begun.run.catalog
    begun.run.store(begun.intake)
    catalog.snapshots.seal(begun.intake.snapshot_id, datetime(2026, 1, 1, tzinfo=UTC), b"h" * 32)
    before = ratio_of_volume(catalog, "home", None)
    empty = NewSnapshot(
        snapshot_id="e" * 32,
        pool_id="b" * 32,
        volume="home",
        mode="files",
        hostname="host",
        tags=(),
        sources=(),
        request={},
        started_at=datetime(2026, 1, 2, tzinfo=UTC),
    )
    catalog.snapshots.begin(empty)
    catalog.snapshots.seal(empty.snapshot_id, datetime(2026, 1, 2, tzinfo=UTC), b"h" * 32)
    assert 0.5 < before < 0.6
    assert ratio_of_volume(catalog, "home", None) == before


@pytest.mark.parametrize(("compared_bytes", "ratio"), [(0, 0.5), (500, 0.275), (1000, 0.05), (5000, 0.05)])
def test_a_tenth_of_what_is_compared_is_expected_to_be_stored(compared_bytes: int, ratio: float) -> None:
    assert ratio_with_compared(0.5, 1000, compared_bytes) == pytest.approx(ratio)


def test_what_is_compared_needs_no_room_for_all_of_it(catalog: Catalog, tmp_path: Path) -> None:
    begun = Begun(catalog, tmp_path)
    whole = Whole(begun.run.session, backup_request(begun.sources), begun.intake, begun.run.state)
    whole.store()
    whole.seal()
    for name in "ab":
        begun.devices.reports[name] = replace(begun.devices.reports[name], free_bytes=100 * KIB)
    again = Offline(catalog, ["a", "b"], begun.devices)
    with pytest.raises(DeviceFullError):
        again.plan(replace(backup_request(begun.sources), force=True))
    (begun.sources["data"] / "large").touch()
    again.plan(backup_request(begun.sources))
    assert again.state.load_bytes("a") + again.state.load_bytes("b") == 600 * KIB
