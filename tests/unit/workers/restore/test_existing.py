import os
import stat
from pathlib import Path
from typing import cast

import pytest
from msgspec.structs import force_setattr

from kit.needs import need_root
from kit.stored.segment_in_memory import (
    FILES,
    MTIME_NS,
    WHOLE,
    Progress,
    content,
    order,
    restore,
    store,
    unfinished,
    whole_files,
)
from tasks.orders import Overwrite
from workers.devices.base import Device
from workers.restore import restore_segment


@pytest.mark.parametrize("overwrite", ["always", "if-changed", "never"])
def test_overwriting_a_file_with_another_size_or_time(tmp_path: Path, overwrite: Overwrite) -> None:
    (tmp_path / "a").write_bytes(b"something longer")
    result = restore(tmp_path, store(FILES), whole_files(FILES), overwrite=overwrite)
    expected = FILES | ({"a": b"something longer"} if overwrite == "never" else {})
    assert content(tmp_path) == expected
    assert result.skipped_count == (overwrite == "never")
    assert result.files_count + result.skipped_count == len(FILES)


@pytest.mark.parametrize("overwrite", ["always", "if-changed", "never"])
def test_overwriting_a_file_with_the_same_size_and_time(tmp_path: Path, overwrite: Overwrite) -> None:
    (tmp_path / "a").write_bytes(b"FIRST")
    (tmp_path / "a").chmod(0o640)
    os.utime(tmp_path / "a", ns=(MTIME_NS, MTIME_NS))
    result = restore(tmp_path, store(FILES), whole_files(FILES), overwrite=overwrite)
    assert (tmp_path / "a").read_bytes() == (b"first" if overwrite == "always" else b"FIRST")
    assert result.skipped_count == (overwrite != "always")


@pytest.mark.parametrize("overwrite", ["always", "if-changed", "never"])
def test_what_an_interrupted_restore_left_is_written_anew(tmp_path: Path, overwrite: Overwrite) -> None:
    (tmp_path / "z").write_bytes(b"la")
    (tmp_path / "z").chmod(0o200)
    restore(tmp_path, store(FILES), whole_files(FILES), overwrite=overwrite)
    assert content(tmp_path) == FILES


@pytest.mark.parametrize(
    ("there_ns", "content"),
    [
        (MTIME_NS - 10**12, b"first"),
        (MTIME_NS, b"FIRST"),
        (MTIME_NS // 10**9 * 10**9, b"FIRST"),
        (MTIME_NS + 1, b"FIRST"),
    ],
    ids=["older", "same", "same but rounded", "newer"],
)
def test_if_newer_replaces_only_what_is_older(tmp_path: Path, there_ns: int, content: bytes) -> None:
    (tmp_path / "a").write_bytes(b"FIRST")
    os.utime(tmp_path / "a", ns=(there_ns, there_ns))
    restore(tmp_path, store(FILES), whole_files(FILES), overwrite="if-newer")
    assert (tmp_path / "a").read_bytes() == content


def test_nothing_is_read_from_the_device_when_all_is_kept(tmp_path: Path) -> None:
    device = store(FILES)
    restore(tmp_path, device, whole_files(FILES))
    device.is_gone = True
    assert restore(tmp_path, device, whole_files(FILES), overwrite="if-changed").skipped_count == len(FILES)


@pytest.mark.parametrize("plant", ["symlink", "fifo"])
def test_a_symlink_or_fifo_at_the_final_name_is_replaced_and_not_followed(tmp_path: Path, plant: str) -> None:
    outside, target = tmp_path / "outside", tmp_path / "target"
    outside.write_bytes(b"precious")
    target.mkdir()
    if plant == "symlink":
        (target / "a").symlink_to(outside)
    else:
        os.mkfifo(target / "a")
    assert restore(target, store(FILES), whole_files(FILES)).troubles == ()
    assert outside.read_bytes() == b"precious"
    assert content(target) == FILES


def test_a_symlink_where_a_part_belongs_is_refused(tmp_path: Path) -> None:
    unfinished(tmp_path, "big").symlink_to(tmp_path / "outside")
    result = restore(tmp_path, store(FILES), [("big", 0, 7, 5, ())])
    assert [(t.offset_bytes, t.size_bytes, t.code) for t in result.troubles] == [(7, 5, "unsafe-target")]
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize("planted", ["dir", "dir/sub"])
def test_a_symlink_planted_among_the_parents_costs_what_is_below_and_nothing_leaves_the_target(
    tmp_path: Path, planted: str
) -> None:
    outside, target = tmp_path / "outside", tmp_path / "target"
    outside.mkdir()
    (target / planted).parent.mkdir(parents=True)
    (target / planted).symlink_to(outside)
    result = restore(target, store(FILES), whole_files(FILES))
    assert {t.path for t in result.troubles} == {path for path in FILES if path.startswith(f"{planted}/")}
    assert {t.code for t in result.troubles} == {"unsafe-target"}
    assert list(outside.iterdir()) == []


def test_a_path_that_leaves_the_target_is_refused_even_if_the_message_was_not_checked(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    device = store(FILES)
    unchecked = order([("inside", 0, 0, 5, WHOLE)], device)
    force_setattr(unchecked, "paths", ("../escaped",))
    result = restore_segment(unchecked, device=cast(Device, device), target_root=target, progress=Progress())
    assert [t.code for t in result.troubles] == ["unsafe-target"]
    assert not (tmp_path / "escaped").exists()


def test_a_folder_in_a_files_place_is_reported_and_stays(tmp_path: Path) -> None:
    (tmp_path / "a/kept").mkdir(parents=True)
    result = restore(tmp_path, store(FILES), whole_files(FILES))
    assert [(t.path, t.code) for t in result.troubles] == [("a", "exists")]
    assert (tmp_path / "a/kept").is_dir()


def test_a_file_with_other_hard_links_gives_way_and_they_keep_their_content(tmp_path: Path) -> None:
    outside, target = tmp_path / "outside", tmp_path / "target"
    target.mkdir()
    outside.write_bytes(b"precious")
    os.link(outside, target / "a")
    restore(target, store(FILES), whole_files(FILES))
    assert outside.read_bytes() == b"precious"
    assert content(target) == FILES


def test_hard_links_made_after_the_first_delivery_survive_the_second(tmp_path: Path) -> None:
    device = store(FILES)
    restore(tmp_path, device, whole_files(FILES))
    os.link(tmp_path / "dir/large", tmp_path / "link")
    assert restore(tmp_path, device, whole_files(FILES)).troubles == ()
    assert os.path.samefile(tmp_path / "dir/large", tmp_path / "link")


def test_hard_links_that_look_the_same_but_differ_are_not_written_through(tmp_path: Path) -> None:
    target, outside = tmp_path / "target", tmp_path / "outside"
    target.mkdir()
    outside.write_bytes(b"FIRST")
    outside.chmod(0o640)
    os.utime(outside, ns=(MTIME_NS, MTIME_NS))
    os.link(outside, target / "a")
    assert restore(target, store(FILES), whole_files(FILES)).troubles == ()
    assert outside.read_bytes() == b"FIRST"
    assert content(target) == FILES


def test_a_file_is_replaced_by_a_new_one_and_what_has_it_open_sees_nothing_of_it(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"older")
    with open(tmp_path / "a", "rb") as older:
        restore(tmp_path, store(FILES), whole_files(FILES))
        assert older.read() == b"older"
        assert os.fstat(older.fileno()).st_ino != (tmp_path / "a").stat().st_ino
    assert content(tmp_path) == FILES


def test_a_file_of_which_a_part_is_damaged_leaves_the_older_one_as_it_was(tmp_path: Path) -> None:
    device = store(FILES)
    device.damage_unit(2)
    (tmp_path / "dir").mkdir()
    (tmp_path / "dir/large").write_bytes(b"older")
    result = restore(tmp_path, device, whole_files(FILES))
    assert [(trouble.path, trouble.code) for trouble in result.troubles] == [("dir/large", "damaged")]
    assert content(tmp_path) == FILES | {"dir/large": b"older"}


@pytest.mark.parametrize(("overwrite", "mode"), [("always", 0o640), ("if-changed", 0o640), ("never", 0o777)])
def test_a_spoiled_mode_is_mended_unless_what_is_there_stays(tmp_path: Path, overwrite: Overwrite, mode: int) -> None:
    device = store(FILES)
    restore(tmp_path, device, whole_files(FILES))
    (tmp_path / "a").chmod(0o777)
    before = (tmp_path / "a").stat().st_ino
    restore(tmp_path, device, whole_files(FILES), overwrite=overwrite)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == mode
    assert ((tmp_path / "a").stat().st_ino == before) == (overwrite != "always")


def test_a_file_of_another_owner_is_written_again_for_its_content_is_not_to_be_trusted(tmp_path: Path) -> None:
    need_root("give a file to another user")
    device = store(FILES)
    (tmp_path / "a").write_bytes(b"FIRST")
    os.utime(tmp_path / "a", ns=(MTIME_NS, MTIME_NS))
    os.chown(tmp_path / "a", 1234, 1234)
    restore(tmp_path, device, whole_files(FILES, (0o4755, 0, 0, MTIME_NS)), overwrite="if-changed")
    found = (tmp_path / "a").stat()
    assert (tmp_path / "a").read_bytes() == b"first"
    assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (0o4755, 0, 0)


def test_what_is_in_the_place_of_a_piece_is_neither_read_nor_removed(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"older")
    result = restore(tmp_path, store(FILES), [("big", 0, 7, 5, ())])
    assert [trouble.code for trouble in result.troubles] == ["unsafe-target"]
    assert content(tmp_path) == {"big": b"older"}
