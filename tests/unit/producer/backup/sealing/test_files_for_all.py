"""Each device gets the same files, and many of them are not kept in memory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from producer.backup.sealing.files_for_all import files_for_all
from producer.manifest import ManifestPart
from producer.pool.manifests.manifest_files import ManifestFile

FILES = [
    ManifestFile(part=ManifestPart(name=f"{n}", kind="pack", size_bytes=10, blake3="0" * 64), data=b"%010d" % n)
    for n in range(3)
]


@pytest.mark.parametrize(("kept_bytes", "made_count"), [(30, 1), (29, 4), (0, 4)])
def test_few_files_are_made_once_and_many_for_each_device(kept_bytes: int, made_count: int) -> None:
    calls = []

    def make() -> Iterator[ManifestFile]:
        calls.append(1)
        yield from FILES

    parts, files = files_for_all(make, kept_bytes=kept_bytes)
    assert parts == tuple(file.part for file in FILES)
    assert [list(files()) for _ in range(3)] == [FILES] * 3
    assert len(calls) == made_count
