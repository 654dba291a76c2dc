"""What parity costs: the space of its rows, beside what they protect."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from msgspec import Struct

from producer.catalog.catalog import Catalog
from producer.catalog.tables.parity import ParityGroup
from tasks.groups import MAX_MEMBERS


class ParitySpace(Struct, frozen=True, kw_only=True):
    groups_count: int
    #: Of these: with fewer members than the devices allow, so that each costs more.
    small_groups_count: int
    objects_count: int
    bytes_protected: int
    #: Of all rows that are written.
    bytes_stored: int

    @property
    def share(self) -> float:
        """Bytes of parity for each byte that it protects."""
        return self.bytes_stored / self.bytes_protected if self.bytes_protected else 0.0


def parity_space(catalog: Catalog) -> ParitySpace | None:
    """Of all groups; None without any."""
    groups = catalog.parity.groups()
    if not groups:
        return None
    pools = {row.device_id: row.pool_id for row in catalog.devices.all() if row.state != "lost"}
    return ParitySpace(
        groups_count=len(groups),
        small_groups_count=sum(_is_small(group, pools, Counter(pools.values())) for group in groups),
        objects_count=sum(len(group.members) for group in groups),
        bytes_protected=sum(member.bytes_stored for group in groups for member in group.members),
        bytes_stored=sum(row.bytes_stored for group in groups for row in group.rows),
    )


def _is_small(group: ParityGroup, pools: Mapping[str, str], devices_counts: Mapping[str, int]) -> bool:
    pool_id = next((pools[row.device_id] for row in group.rows if row.device_id in pools), "")
    return len(group.members) < min(MAX_MEMBERS, devices_counts.get(pool_id, 0) - len(group.rows))
