"""What parity costs is counted over all groups."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from producer.catalog.catalog import Catalog
from producer.catalog.tables.devices import DeviceRow
from producer.catalog.tables.parity import ParityGroup, ParityMember, ParityRow
from producer.cli.show.rows.parity_space import parity_line, parity_row
from producer.monitor.space.parity_space import parity_space


def device(name: str) -> DeviceRow:
    return DeviceRow(
        name=name,
        device_id=name * 32,
        pool_id="1" * 32,
        state="live",
        reason="",
        since=datetime(2026, 1, 1, tzinfo=UTC),
        capacity_bytes=10**9,
        free_bytes=10**9,
        epoch=0,
        path="",
    )


def group(number: int, sizes_bytes: list[int], row_device: str) -> ParityGroup:
    return ParityGroup(
        group_id=f"{number}" * 32,
        members=tuple(
            ParityMember(
                object_id=f"{number}{place}" * 16, segment_id="5" * 32, bytes_stored=size, trailer_digest=b"x" * 32
            )
            for place, size in enumerate(sizes_bytes)
        ),
        rows=(ParityRow(device_id=row_device * 32, bytes_stored=max(sizes_bytes), digest=b"y" * 32),),
    )


def test_small_groups_are_those_with_fewer_members_than_the_devices_allow(tmp_path: Path) -> None:
    with Catalog(tmp_path / "catalog.sqlite") as catalog:
        assert parity_space(catalog) is None
        for name in "abcd":
            catalog.devices.record(device(name))
        catalog.parity.add([group(1, [3000, 2000, 1000], "d"), group(2, [2000], "a")])

        found = parity_space(catalog)

    assert found is not None
    assert parity_row(found) == {
        "message_type": "parity",
        "groups": 2,
        "small_groups": 1,
        "objects": 4,
        "bytes_protected": 8000,
        "bytes_stored": 5000,
        "share": 0.625,
    }
    assert parity_line(found).endswith("objects that it protects; 1 of 2 groups are small, and cost more")
