import os
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import pytest

from kit.needs import need_root
from kit.stored.segment_in_memory import (
    FILES,
    MTIME_NS,
    UNIT,
    WHOLE,
    Progress,
    content,
    order,
    pattern,
    prepare,
    restore,
    store,
    whole_files,
)
from tasks.errors import RunOverError, TargetError
from tasks.receipts import RestoreResult
from workers.devices.base import Device
from workers.restore import restore_segment
from workers.target.holes import BLOCK_BYTES


def test_a_bundle_comes_back_byte_for_byte_with_metadata(tmp_path: Path) -> None:
    device, progress = store(FILES), Progress()
    result = restore_segment(
        order(whole_files(FILES), device), device=cast(Device, device), target_root=tmp_path, progress=progress
    )
    total = sum(map(len, FILES.values()))
    assert result == RestoreResult(files_count=5, bytes_restored=total, skipped_count=0, troubles=())
    assert content(tmp_path) == FILES
    assert progress.bytes_count == total
    for path in FILES:
        found = (tmp_path / path).stat()
        assert (stat.S_IMODE(found.st_mode), found.st_mtime_ns) == (0o640, MTIME_NS)


def test_only_the_needed_units_are_read_each_once(tmp_path: Path) -> None:
    device = store(FILES)
    units = device.units()
    device.reads.clear()
    restore(tmp_path, device, [row for row in whole_files(FILES) if row[0] in ("a", "z")])
    unit_reads = [offset for offset in device.reads if offset in [unit.stored_offset_bytes for unit in units]]
    assert unit_reads == [units[0].stored_offset_bytes, units[-1].stored_offset_bytes]


def test_the_parts_of_a_file_come_from_several_orders_in_any_order(tmp_path: Path) -> None:
    data = pattern(5 * UNIT)
    device = store({"big": data})
    big = prepare(tmp_path, "big")
    restore(tmp_path, device, [("big", 2 * UNIT, 2 * UNIT, 3 * UNIT, ())])
    result = restore(tmp_path, device, [("big", 0, 0, 2 * UNIT, ())])
    assert big.read_bytes() == data
    assert not (tmp_path / "big").exists()
    assert (result.files_count, result.bytes_restored) == (0, 2 * UNIT)


@pytest.mark.parametrize("files", [FILES, {}])
def test_an_order_may_come_twice(tmp_path: Path, files: dict[str, bytes]) -> None:
    rows = whole_files(files) + [("part", 10, 1000, 50, ())] * bool(files)
    device = store(FILES)
    prepare(tmp_path, "part")
    first = restore(tmp_path, device, rows)
    before = content(tmp_path)
    assert restore(tmp_path, device, rows) == first
    assert content(tmp_path) == before


def test_names_that_are_not_utf8_or_hold_newlines_or_are_255_bytes_long_come_back(tmp_path: Path) -> None:
    files = {os.fsdecode(b"d\xff/\xe9\n"): b"1", "n" * 255: b"2", "é\n" * 50: b"3"}
    assert restore(tmp_path, store(files), whole_files(files)).troubles == ()
    assert content(tmp_path) == files


def test_a_name_that_no_file_can_have_is_reported(tmp_path: Path) -> None:
    files = {"\ud800": b"1", "n" * 256: b"2", "good": b"3"}
    result = restore(tmp_path, store({"x": b"123"}), whole_files(files))
    assert [trouble.code for trouble in result.troubles] == ["unwritable"] * 2
    assert content(tmp_path) == {"good": b"3"}


def test_an_empty_file_in_a_segment_is_made(tmp_path: Path) -> None:
    restore(tmp_path, store(FILES), [("empty", 0, 0, 0, WHOLE)])
    assert (tmp_path / "empty").stat().st_size == 0


def test_long_runs_of_zeros_become_holes_where_there_were_holes(tmp_path: Path) -> None:
    data = pattern(BLOCK_BYTES) + bytes(20 * BLOCK_BYTES) + pattern(100) + bytes(10 * BLOCK_BYTES)
    files = {"sparse": data, "written": data}
    restore(tmp_path, store(files), whole_files(files), sparse=(0,))
    assert content(tmp_path) == files
    assert (tmp_path / "sparse").stat().st_blocks * 512 <= 4 * BLOCK_BYTES
    assert (tmp_path / "written").stat().st_blocks * 512 >= len(data)


def test_zeros_overwrite_what_an_older_file_has_there(tmp_path: Path) -> None:
    data = bytes(5 * BLOCK_BYTES)
    (tmp_path / "whole").write_bytes(pattern(6 * BLOCK_BYTES))
    restore(tmp_path, store({"x": data}), [("whole", 0, 0, len(data), WHOLE)])
    assert (tmp_path / "whole").read_bytes() == data


def test_a_missing_target_fails_the_order(tmp_path: Path) -> None:
    with pytest.raises(TargetError):
        restore(tmp_path / "missing", store(FILES), whole_files(FILES))


def test_a_full_target_fails_the_order_and_names_the_path(tmp_path: Path) -> None:
    need_root("mount a tmpfs")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", tmp_path], check=True)
    try:
        with pytest.raises(TargetError, match="dir/large") as error:
            restore(tmp_path, store(FILES), whole_files(FILES))
        assert error.value.code == "target"
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    device = store(FILES)
    device.damage_unit(2)
    before = len(os.listdir("/proc/self/fd"))
    restore(tmp_path, device, whole_files(FILES))
    assert len(os.listdir("/proc/self/fd")) == before


def test_an_order_may_run_beside_itself(tmp_path: Path) -> None:
    rows = [*whole_files(FILES), ("part", 10, 1000, 3 * UNIT, ())]
    device = store(FILES)
    part = prepare(tmp_path, "part")
    with ThreadPoolExecutor(4) as pool:
        results = [running.result() for running in [pool.submit(restore, tmp_path, device, rows) for _ in range(8)]]
    assert {result.troubles for result in results} == {()}
    stream = b"".join(FILES.values())
    assert content(tmp_path) == FILES | {part.name: bytes(1000) + stream[10 : 10 + 3 * UNIT]}


def test_a_restore_whose_run_ends_meanwhile_leaves_what_was_there(tmp_path: Path) -> None:
    calls: list[int] = []

    def before_write() -> None:
        calls.append(len(calls))
        if len(calls) == 3:
            raise RunOverError("the run has ended")

    data = pattern(5 * UNIT)
    (tmp_path / "file").write_bytes(b"?" * len(data))
    device = store({"file": data})
    with pytest.raises(RunOverError):
        restore_segment(
            order(whole_files({"file": data}), device),
            device=cast(Device, device),
            target_root=tmp_path,
            progress=Progress(),
            before_write=before_write,
        )
    assert content(tmp_path) == {"file": b"?" * len(data)}


@pytest.mark.parametrize("is_written_to", [False, True])
def test_what_a_restore_leaves_when_its_run_ends_is_what_others_have_written(
    tmp_path: Path, is_written_to: bool
) -> None:
    """Anyone who sees the end of the run may write to the target before its last worker stops."""
    data = pattern(5 * UNIT)

    def before_write() -> None:
        path = tmp_path / "file"
        if path.exists() and path.stat().st_size:
            if is_written_to:
                path.write_bytes(b"mine")
            raise RunOverError("the run has ended")

    device = store({"file": data})
    with pytest.raises(RunOverError):
        restore_segment(
            order(whole_files({"file": data}), device),
            device=cast(Device, device),
            target_root=tmp_path,
            progress=Progress(),
            before_write=before_write,
        )
    assert content(tmp_path) == ({"file": b"mine"} if is_written_to else {})
