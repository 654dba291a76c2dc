"""Where FAT keeps its clusters, and which follows which."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Self

from msgspec import Struct

from producer.raw.inside.image_bytes import DamagedError, ImageBytes, Piece


class FatLayout(Struct, frozen=True, kw_only=True):
    """What reading needs of the boot sector."""

    bits: int
    table_start_bytes: int
    cluster_bytes: int
    clusters_count: int
    data_start_bytes: int
    #: With 12 and 16 bits the root is apart from the clusters; with 32 it is a chain, and this is 0.
    root_bytes: int
    root_start_bytes: int
    root_cluster: int

    @classmethod
    def read(cls, image: ImageBytes) -> Self:
        """Raises DamagedError for what cannot be a boot sector."""
        boot = image.read(0, 512)
        sector_bytes, cluster_sectors, reserved, tables, root_count, small_total = struct.unpack_from(
            "<HBHBHH", boot, 11
        )
        small_table, total, table, _, _, root_cluster = struct.unpack_from("<H8xIIHHI", boot, 22)
        table_sectors, total_sectors = small_table or table, small_total or total
        if sector_bytes not in (512, 1024, 2048, 4096) or not cluster_sectors or not tables or not table_sectors:
            raise DamagedError("its boot sector cannot be right")
        root_start = (reserved + tables * table_sectors) * sector_bytes
        root_bytes = -(-root_count * 32 // sector_bytes) * sector_bytes
        data_bytes = total_sectors * sector_bytes - root_start - root_bytes
        clusters_count = max(0, data_bytes // (cluster_sectors * sector_bytes))
        return cls(
            bits=32 if not small_table else 12 if clusters_count < 4085 else 16,
            table_start_bytes=reserved * sector_bytes,
            cluster_bytes=cluster_sectors * sector_bytes,
            clusters_count=clusters_count,
            data_start_bytes=root_start + root_bytes,
            root_bytes=root_bytes,
            root_start_bytes=root_start,
            root_cluster=root_cluster if not root_bytes else 0,
        )

    def pieces(self, cluster: int, image: ImageBytes) -> Iterator[Piece]:
        """The clusters of a chain, one by one.  Raises DamagedError where it leads nowhere, or in a circle."""
        for index in range(self.clusters_count + 1):
            if not 2 <= cluster < self.clusters_count + 2:
                raise DamagedError(f"it refers to cluster {cluster}, which does not exist")
            start = self.data_start_bytes + (cluster - 2) * self.cluster_bytes
            yield Piece(index * self.cluster_bytes, start, self.cluster_bytes)
            cluster = self._next(cluster, image)
            if cluster >= (1 << min(self.bits, 28)) - 8:
                return
        raise DamagedError("its clusters form a loop")

    def _next(self, cluster: int, image: ImageBytes) -> int:
        position = self.table_start_bytes + cluster * self.bits // 8
        if self.bits == 12:
            pair = int.from_bytes(image.read(position, 2), "little")
            return pair >> 4 if cluster % 2 else pair & 0xFFF
        return int.from_bytes(image.read(position, self.bits // 8), "little") & 0x0FFF_FFFF
