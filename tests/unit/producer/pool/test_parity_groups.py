"""Whatever is stored, lost and let go, in whatever order: what is planned survives as many losses as was asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from producer.catalog.tables.objects import StoredObject
from producer.catalog.tables.parity import ParityGroup
from producer.pool.copies import CopyTarget
from producer.pool.parity.grouping import can_give, holders_of_objects, plan_parity

#: What happens: objects of these sizes are stored, each on the next device; one device is lost; a third is let go.
STORE = st.lists(st.integers(1, 10**6), min_size=1, max_size=12)
STEPS = st.lists(st.one_of(STORE, st.just("lose"), st.just("forget")), min_size=1, max_size=6)


class Pool:
    """Objects and groups as a catalog has them; every row that is planned is written."""

    def __init__(self, devices_count: int, rows_count: int) -> None:
        self.devices = [f"{number:032x}" for number in range(devices_count)]
        self.rows_count = rows_count
        self.objects: list[StoredObject] = []
        self.groups: list[ParityGroup] = []
        self._made_count = 0

    def store(self, sizes: Iterable[int]) -> None:
        for size_bytes in sizes:
            self._made_count += 1
            device_id = self.devices[self._made_count % len(self.devices)]
            self.objects.append(stored(self._made_count, size_bytes, device_id))

    def lose(self) -> None:
        """The next backup has stored again what the device held."""
        if len(self.devices) > self.rows_count + 1:
            lost = self.devices.pop(0)
            again = [one.bytes_stored for one in self.objects if one.device_id == lost]
            self.objects = [one for one in self.objects if one.device_id != lost]
            self.store(again)

    def forget(self) -> None:
        del self.objects[::3]

    def protect(self) -> None:
        targets = [CopyTarget(name=key, device_id=key, load_bytes=0, room_bytes=10**12) for key in self.devices]
        plan = plan_parity(
            self.objects,
            self.groups,
            targets,
            rows_count=self.rows_count,
            holders=self.holders,
            indexed={one.object_id for one in self.objects},
            holding=self.devices,
            readable=set(self.devices),
        )
        assert plan.missing_count == 0
        replaced = {group.group_id for group in plan.replaced}
        groups = {group.group_id: group for group in [*self.groups, *plan.new] if group.group_id not in replaced}
        for one in plan.rows:
            group = groups[one.group.group_id]
            rows = list(group.rows)
            rows[one.number] = replace(rows[one.number], device_id=one.target.device_id, digest=b"d")
            groups[group.group_id] = replace(group, rows=tuple(rows))
        self.groups = list(groups.values())

    @property
    def holders(self) -> dict[str, set[str]]:
        return holders_of_objects(self.objects)

    def not_given(self, lost: Iterable[str]) -> Iterator[str]:
        """The objects that are lost with these devices."""
        there, holders = set(self.devices) - set(lost), self.holders
        by_member: dict[str, list[ParityGroup]] = {one.object_id: [] for one in self.objects}
        for group in self.groups:
            for member in group.members:
                by_member.setdefault(member.object_id, []).append(group)
        for one in self.objects:
            if one.device_id not in there and not any(can_give(g, holders, there) for g in by_member[one.object_id]):
                yield one.object_id


def stored(number: int, size_bytes: int, device_id: str) -> StoredObject:
    return StoredObject(
        object_id=f"{number:032x}",
        device_id=device_id,
        device=device_id,
        segment_id=f"{number:032x}",
        snapshot_id="5" * 32,
        size_bytes=size_bytes,
        bytes_stored=size_bytes,
        trailer_digest=b"t" * 32,
    )


@given(devices_count=st.integers(3, 7), rows_count=st.integers(1, 2), steps=STEPS)
def test_after_each_step_any_devices_may_be_lost_up_to_the_parity(
    devices_count: int, rows_count: int, steps: list[list[int] | str]
) -> None:
    pool = Pool(devices_count, rows_count)
    for step in steps:
        if isinstance(step, list):
            pool.store(step)
        else:
            getattr(pool, step)()
        pool.protect()

        for lost in combinations(pool.devices, rows_count):
            assert list(pool.not_given(lost)) == []


@pytest.mark.parametrize(("devices_count", "rows_count"), [(8, 4), (16, 2), (24, 1), (24, 3)])
def test_a_large_pool_survives_the_loss_of_any_devices_up_to_the_parity(devices_count: int, rows_count: int) -> None:
    pool = Pool(devices_count, rows_count)
    pool.store([10_000 * number**2 for number in range(1, 3 * devices_count)])
    pool.protect()
    pool.lose()
    pool.protect()

    for lost in combinations(pool.devices, rows_count):
        assert list(pool.not_given(lost)) == []


@given(devices_count=st.integers(3, 7), rows_count=st.integers(1, 2), sizes=STORE)
def test_what_is_protected_is_planned_no_more(devices_count: int, rows_count: int, sizes: list[int]) -> None:
    pool = Pool(devices_count, rows_count)
    pool.store(sizes)
    pool.protect()
    before = pool.groups
    pool.protect()

    assert pool.groups == before


def test_many_objects_of_one_size_cost_what_the_page_says() -> None:
    for devices_count, rows_count in ((4, 1), (6, 2), (24, 1)):
        pool = Pool(devices_count, rows_count)
        pool.store([10**6] * (20 * (devices_count - rows_count)))
        pool.protect()

        parity_bytes = sum(group.size_bytes * len(group.rows) for group in pool.groups)
        share = parity_bytes / sum(one.bytes_stored for one in pool.objects)
        assert share <= 1.05 * rows_count / (devices_count - rows_count)
