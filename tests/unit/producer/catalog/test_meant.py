"""Which snapshot a name means for a command that names devices, or has them configured."""

from __future__ import annotations

from pathlib import Path

import pytest

from kit.models.rows import T0, device_row
from producer.catalog.catalog import Catalog
from producer.catalog.meant import snapshot_meant
from producer.catalog.tables.snapshots.rows import NewSnapshot
from producer.host.places import at_agents
from tasks.errors import UsageError

#: Pool → its volumes, in the order of their snapshots.
HERE, ELSEWHERE = "1" * 32, "2" * 32


@pytest.fixture(autouse=True)
def pools(catalog: Catalog, tmp_path: Path) -> None:
    """Device a has home; b, of another pool, has home, db and mail; c of a third has nothing; d was replaced by b."""
    for number, (pool_id, volume) in enumerate(
        [(HERE, "home"), *((ELSEWHERE, name) for name in ("home", "db", "mail"))]
    ):
        snapshot_id = f"{pool_id[0]}{volume}".encode().hex().ljust(32, "0")
        catalog.snapshots.begin(
            NewSnapshot(
                snapshot_id=snapshot_id,
                pool_id=pool_id,
                volume=volume,
                mode="files",
                hostname="host",
                tags=(),
                sources=(),
                request={},
                started_at=T0,
            )
        )
        catalog.snapshots.seal(snapshot_id, T0, bytes([number]) * 32)
    for name, pool_id in (("d", "3" * 32), ("a", HERE), ("b", ELSEWHERE), ("c", "4" * 32)):
        place = tmp_path / ("b" if name == "d" else name)
        place.mkdir(exist_ok=True)
        state = "lost" if name == "d" else "live"
        catalog.devices.record(device_row(name, pool_id=pool_id, path=str(place), state=state))


def meant(catalog: Catalog, name: str, **devices: Path) -> tuple[str, str]:
    row = snapshot_meant(catalog, name, devices)
    return row.pool_id, row.volume


def test_it_is_the_newest_in_their_pool_and_of_its_only_volume(catalog: Catalog, tmp_path: Path) -> None:
    assert meant(catalog, "latest", a=tmp_path / "a") == (HERE, "home")
    assert meant(catalog, "home@latest", a=tmp_path / "a") == (HERE, "home")
    assert meant(catalog, "home@latest", x=tmp_path / "b") == (ELSEWHERE, "home")
    with pytest.raises(UsageError, match="There are 3"):
        meant(catalog, "latest", b=tmp_path / "b")


def test_a_device_is_known_through_a_symlink_and_at_its_agents(catalog: Catalog, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert meant(catalog, "latest", a=tmp_path / "link") == (HERE, "home")
    catalog.devices.record(device_row("a", pool_id=HERE, path="/mnt/at-its-host"))
    assert meant(catalog, "latest", a=at_agents("a")) == (HERE, "home")


def test_without_devices_or_with_some_that_have_nothing_of_it_all_pools_count(catalog: Catalog, tmp_path: Path) -> None:
    for devices in ({}, {"c": tmp_path / "c"}, {"x": tmp_path / "nowhere"}):
        with pytest.raises(UsageError, match="There are 3"):
            meant(catalog, "latest", **devices)
        assert meant(catalog, "home@latest", **devices) == (ELSEWHERE, "home")
    assert meant(catalog, "mail@latest", a=tmp_path / "a") == (ELSEWHERE, "mail")
