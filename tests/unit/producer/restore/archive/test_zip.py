"""Members in a zip, as the standard library reads them."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from typing import Any

from msgspec.structs import replace

from producer.listing import Entry
from producer.restore.archive.members import Member
from producer.restore.archive.zip import ZipArchive

FILE = Entry(
    index=1,
    source="data",
    path="file",
    kind="file",
    mode=0o640,
    uid=5,
    gid=6,
    mtime_ns=10**18,
    ctime_ns=0,
    size_bytes=4,
)


def zip_of(*changes: dict[str, Any]) -> tuple[zipfile.ZipFile, dict[str, int]]:
    out = io.BytesIO()
    archive = ZipArchive(out)
    for change in changes:
        entry = replace(FILE, **change)
        archive.add(Member(entry=entry), [b"te", b"xt"] if entry.kind == "file" else [])
    archive.finish()
    return zipfile.ZipFile(io.BytesIO(out.getvalue())), archive.not_kept()


def test_files_folders_and_symlinks_come_with_modes_and_times() -> None:
    found, not_kept = zip_of(
        {"path": "", "kind": "directory", "mode": 0o750, "size_bytes": 0},
        {},
        {"path": "to", "kind": "symlink", "link": "é/x"},
    )

    assert found.namelist() == ["data/", "data/file", "data/to"]
    assert found.testzip() is None and not_kept == {}
    assert (found.read("data/file"), found.read("data/to").decode()) == (b"text", "é/x")
    modes = [info.external_attr >> 16 for info in found.infolist()]
    assert modes == [stat.S_IFDIR | 0o750, stat.S_IFREG | 0o640, stat.S_IFLNK | 0o640]
    assert found.getinfo("data/file").date_time == (2001, 9, 9, 1, 46, 40)
    assert struct.unpack("<HHBi", found.getinfo("data/file").extra[:9]) == (0x5455, 5, 1, 10**9)


def test_what_a_zip_cannot_hold_is_counted_by_kind() -> None:
    found, not_kept = zip_of(
        {"kind": "fifo"},
        {"kind": "block"},
        {"path": "odd \udcff", "attributes": {"user.x": ""}, "flags": 16},
        {"path": "early", "mtime_ns": -(2**40) * 10**9},
    )

    assert found.namelist() == ["data/odd \\xff", "data/early"]
    assert sorted(not_kept.values()) == [1, 1, 1, 2]
    assert not_kept["device nodes and FIFOs"] == 2
