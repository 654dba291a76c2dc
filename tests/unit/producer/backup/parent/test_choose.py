"""Which snapshot a backup is compared with, where the catalog has several volumes and pools."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from kit.models.offline import backup_request
from producer.backup.parent.choose import parent_in_pool
from producer.catalog.catalog import Catalog
from producer.catalog.tables.snapshots.rows import NewSnapshot, SourceRow
from tasks.errors import UsageError

STARTED = datetime(2026, 1, 2, tzinfo=UTC)
HERE, ELSEWHERE = "a" * 32, "b" * 32
#: Oldest first: volume, pool; the place is the last digit of the id.
MADE = (("home", HERE), ("home", HERE), ("home", ELSEWHERE), ("srv", HERE), ("srv", ELSEWHERE))


@pytest.fixture
def choose(tmp_path: Path) -> Iterator[Callable[..., int | None]]:
    """The place in ``MADE`` of the snapshot that a backup of home in a pool is compared with."""
    with Catalog(tmp_path / "catalog.sqlite") as catalog:
        for place, (volume, pool_id) in enumerate(MADE):
            snapshot = NewSnapshot(
                snapshot_id=f"{place:08x}" + "0" * 24,
                pool_id=pool_id,
                volume=volume,
                mode="files",
                hostname="host",
                tags=(),
                sources=(SourceRow(name="data", path="/srv/data"),),
                request={},
                started_at=STARTED,
            )
            catalog.snapshots.begin(snapshot)
            catalog.snapshots.seal(snapshot.snapshot_id, STARTED, b"h" * 32)

        def place_of(pool_id: str, **named: Any) -> int | None:
            request = replace(backup_request({"data": tmp_path}), **named)
            found = parent_in_pool(catalog, request, pool_id)
            return None if found is None else int(found.snapshot_id[:8], 16)

        yield place_of


@pytest.mark.parametrize(
    ("pool_id", "named", "place"),
    [
        (HERE, {}, 1),
        (ELSEWHERE, {}, 2),
        ("c" * 32, {}, None),
        (HERE, {"force": True}, None),
        (HERE, {"parent": "latest"}, 1),
        (HERE, {"parent": "latest~1"}, 0),
        (ELSEWHERE, {"parent": "latest"}, 2),
        (HERE, {"parent": "home@latest"}, 1),
        (HERE, {"parent": "home@2026-01-02"}, 1),
        (HERE, {"parent": "00000000"}, 0),
        (ELSEWHERE, {"parent": "latest", "volume": "srv"}, 4),
    ],
)
def test_the_parent_is_of_the_volume_and_of_the_pool_also_where_others_are_newer(
    choose: Callable[..., int | None], pool_id: str, named: dict[str, Any], place: int | None
) -> None:
    assert choose(pool_id, **named) == place


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"parent": "srv@latest"}, "is of volume srv, not of home"),
        ({"parent": "00000003"}, "is of volume srv, not of home"),
        ({"parent": "00000002"}, "lies on the devices of another pool"),
        ({"parent": "latest~2"}, "fewer snapshots of volume home in the pool of these devices"),
        ({"parent": "latest", "volume": "other"}, "no snapshot of volume other in the pool of these devices"),
        ({"parent": "ffffffff"}, "no snapshot begins with ffffffff"),
    ],
)
def test_a_parent_of_another_volume_or_pool_or_none_is_refused(
    choose: Callable[..., int | None], named: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        choose(HERE, **named)
