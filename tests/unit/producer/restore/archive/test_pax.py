"""The headers of tar archives, as the standard library and GNU tar read them."""

from __future__ import annotations

import base64
import io
import os
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from kit.needs import program
from producer.listing import Entry
from producer.restore.archive.pax import RECORD_BYTES, end_after, header_of, padding
from tasks.sources.metadata import OwnerNames

PLAIN = Entry(
    index=1,
    source="data",
    path="file",
    kind="file",
    mode=0o4750,
    uid=5,
    gid=6,
    mtime_ns=10**18,
    ctime_ns=0,
    size_bytes=3,
)
NAMES = OwnerNames(users={"5": "games"}, groups={"6": "disk"})
LONG = "/".join(["folder" * 20] * 30)


def archive_of(*entries: Entry, owner_names: OwnerNames = NAMES) -> bytes:
    parts = []
    for entry in entries:
        data = b"x" * entry.size_bytes if entry.kind == "file" else b""
        parts += [header_of(entry, owner_names), data, padding(len(data))]
    content = b"".join(parts)
    return content + end_after(len(content))


def read_back(entry: Entry, owner_names: OwnerNames = NAMES) -> tarfile.TarInfo:
    content = archive_of(entry, owner_names=owner_names)
    with tarfile.open(fileobj=io.BytesIO(content), encoding="utf-8", errors="surrogateescape") as archive:
        (found,) = archive.getmembers()
    return found


def test_a_plain_file_needs_one_block() -> None:
    assert len(header_of(PLAIN, NAMES)) == 512


def test_an_archive_is_whole_records() -> None:
    for size_bytes in (0, 512, RECORD_BYTES - 1024, RECORD_BYTES - 512, RECORD_BYTES):
        assert (size_bytes + len(end_after(size_bytes))) % RECORD_BYTES == 0
        assert len(end_after(size_bytes)) >= 1024


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"name": "data/file", "mode": 0o4750, "uid": 5, "gid": 6, "uname": "games", "gname": "disk", "size": 3}),
        ({"path": LONG}, {"name": f"data/{LONG}"}),
        ({"path": "caf\u00e9 \udcff"}, {"name": "data/caf\u00e9 \udcff"}),
        ({"uid": 3_000_000, "gid": 4_294_967_294}, {"uid": 3_000_000, "gid": 4_294_967_294}),
        ({"kind": "symlink", "link": "\udcfe/" + "far/" * 50}, {"linkname": "\udcfe/" + "far/" * 50, "type": b"2"}),
        ({"kind": "hardlink", "link": "data/first"}, {"linkname": "data/first", "type": b"1", "size": 0}),
        ({"kind": "directory"}, {"name": "data/file", "type": b"5"}),
        ({"kind": "fifo"}, {"type": b"6"}),
        ({"kind": "character", "device_number": os.makedev(10, 200)}, {"type": b"3", "devmajor": 10, "devminor": 200}),
        ({"kind": "block", "device_number": os.makedev(8, 3)}, {"type": b"4", "devmajor": 8, "devminor": 3}),
    ],
    ids=",".join,
)
def test_the_standard_library_reads_what_is_written(changes: dict[str, Any], expected: dict[str, Any]) -> None:
    found = read_back(replace(PLAIN, **changes))

    assert {name: getattr(found, name) for name in expected} == expected


@pytest.mark.parametrize("mtime_ns", [1_600_000_000_123_456_789, -1, -1_500_000_000, 8**11 * 10**9, 500])
def test_times_are_exact(mtime_ns: int) -> None:
    text = read_back(replace(PLAIN, mtime_ns=mtime_ns)).pax_headers["mtime"]

    whole, _, fraction = text.lstrip("-").partition(".")
    size_ns = int(whole) * 10**9 + int(fraction.ljust(9, "0"))
    assert (-size_ns if text.startswith("-") else size_ns) == mtime_ns


def test_a_size_beyond_8_gib_is_in_a_record() -> None:
    header = header_of(replace(PLAIN, size_bytes=2**40), NAMES)
    with tarfile.open(fileobj=io.BytesIO(header), mode="r|") as archive:
        assert archive.next().size == 2**40  # type: ignore[union-attr]


@pytest.mark.parametrize("size_bytes", [*range(60, 76), *range(955, 975)])
def test_the_length_of_a_record_counts_itself(size_bytes: int) -> None:
    value = b"v" * size_bytes
    found = read_back(replace(PLAIN, attributes={"user.x": base64.b64encode(value).decode()}))

    assert found.pax_headers["SCHILY.xattr.user.x"] == value.decode()


def test_attributes_of_any_bytes_and_names_come_back_with_gnu_tar(tmp_path: Path) -> None:
    values = {"user.a=b%": b"\x00\xff\n7", "user.empty": b"", "user.large": os.urandom(3000)}
    attributes = {name: base64.b64encode(value).decode() for name, value in values.items()}
    content = archive_of(replace(PLAIN, attributes=attributes, path="odd \udcff", uid=os.getuid(), gid=os.getgid()))

    tar = [program("tar"), "x", "--xattrs", "--xattrs-include=*"]
    done = subprocess.run(tar, cwd=tmp_path, input=content, capture_output=True, check=False)

    assert (done.returncode, done.stderr) == (0, b"")
    (found,) = os.listdir(os.fsencode(tmp_path / "data"))
    place = os.path.join(os.fsencode(tmp_path / "data"), found)
    assert found == b"odd \xff"
    assert {name: os.getxattr(place, name) for name in os.listxattr(place)} == values
