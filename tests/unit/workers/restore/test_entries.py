import os
import stat
from pathlib import Path

import pytest
from msgspec.structs import force_setattr

from kit.needs import need, need_root
from kit.program.nobody import as_nobody
from kit.stored.entries import MTIME_NS, entry
from kit.stored.entries import make_entries as restore
from kit.stored.segment_in_memory import unfinished
from tasks.errors import RunOverError, TargetError, TargetNotEmptyError
from tasks.orders import EntryKind, Overwrite
from tasks.receipts import RestoreResult
from workers.target import files


def codes(result: RestoreResult) -> list[tuple[str, str]]:
    return [(trouble.path, trouble.code) for trouble in result.troubles]


def mode_and_time(path: Path) -> tuple[int, int]:
    found = path.lstat()
    return stat.S_IMODE(found.st_mode), found.st_mtime_ns


@pytest.mark.parametrize("value", [None, b"spoiled"])
def test_a_file_of_several_names_that_lacks_attributes_is_written_again_and_its_other_names_stay(
    tmp_path: Path, value: bytes | None
) -> None:
    file = entry("file", "a", attributes={"user.mine": "eA=="})
    try:
        os.setxattr(tmp_path, "user.probe", b"")
    except OSError as error:
        need(False, f"no extended attributes in temporary files: {error}")
    restore(tmp_path, file)
    os.link(tmp_path / "a", tmp_path / "other")
    if value is None:
        os.removexattr(tmp_path / "a", "user.mine")
    else:
        os.setxattr(tmp_path / "a", "user.mine", value)
    spoiled = os.listxattr(tmp_path / "other")
    restore(tmp_path, file, overwrite="if-changed")
    assert os.getxattr(tmp_path / "a", "user.mine") == b"x"
    assert os.listxattr(tmp_path / "other") == spoiled
    assert not os.path.samefile(tmp_path / "a", tmp_path / "other")


def test_a_file_of_several_names_that_has_its_attributes_stays(tmp_path: Path) -> None:
    file = entry("file", "a", attributes={"user.mine": "eA==", "trusted.mine": "eA=="})
    restore(tmp_path, file)
    os.link(tmp_path / "a", tmp_path / "other")
    restore(tmp_path, file, overwrite="if-changed")
    assert os.path.samefile(tmp_path / "a", tmp_path / "other")


ONE_OF_EACH = (
    entry("directory", "d"),
    entry("file", "d/empty"),
    entry("symlink", "d/symlink", link="../anywhere"),
    entry("hardlink", "d/hardlink", link="d/empty"),
    entry("fifo", "d/fifo"),
    entry("directory", "d", finish=True),
)


def test_every_kind_of_entry_is_made_with_its_metadata(tmp_path: Path) -> None:
    target = tmp_path / "not/yet/there"
    assert restore(target, *ONE_OF_EACH) == RestoreResult(files_count=4, bytes_restored=0, skipped_count=0, troubles=())
    assert mode_and_time(target / "d") == (0o750, MTIME_NS)
    assert mode_and_time(target / "d/empty") == (0o750, MTIME_NS)
    assert os.readlink(target / "d/symlink") == "../anywhere"
    assert (target / "d/symlink").lstat().st_mtime_ns == MTIME_NS
    assert os.path.samefile(target / "d/empty", target / "d/hardlink")
    assert stat.S_ISFIFO((target / "d/fifo").stat().st_mode)
    assert mode_and_time(target / "d/fifo") == (0o750, MTIME_NS)


@pytest.mark.parametrize("overwrite", ["always", "if-changed"])
def test_an_order_may_come_twice(tmp_path: Path, overwrite: Overwrite) -> None:
    restore(tmp_path, *ONE_OF_EACH, overwrite=overwrite)
    before = {path: path.lstat().st_ino for path in tmp_path.rglob("*")}
    assert restore(tmp_path, *ONE_OF_EACH, overwrite=overwrite).troubles == ()
    assert {path: path.lstat().st_ino for path in tmp_path.rglob("*")} == before


def test_an_order_whose_run_ends_meanwhile_makes_no_further_entry(tmp_path: Path) -> None:
    calls = iter([None, None, RunOverError("the run has ended")])

    def before_write() -> None:
        error = next(calls)
        if error is not None:
            raise error

    with pytest.raises(RunOverError):
        restore(tmp_path, *ONE_OF_EACH, before_write=before_write)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["d", "empty"]


def test_a_folder_is_closed_to_others_until_it_is_finished(tmp_path: Path) -> None:
    restore(tmp_path, entry("directory", "d", mode=0o755))
    assert mode_and_time(tmp_path / "d")[0] == 0o1700


@pytest.mark.parametrize("overwrite", ["always", "if-changed", "never"])
def test_the_target_gets_metadata_only_if_it_was_not_there(tmp_path: Path, overwrite: Overwrite) -> None:
    there, new = tmp_path / "there", tmp_path / "new"
    there.mkdir(mode=0o711)
    os.utime(there, ns=(5, 5))
    for target in (there, new):
        restore(target, entry("directory", ""), overwrite=overwrite)
        restore(target, entry("directory", "", finish=True), overwrite=overwrite)
    assert mode_and_time(there) == (0o711, 5)
    assert mode_and_time(new) == (0o750, MTIME_NS)


@pytest.mark.parametrize("overwrite", ["always", "if-changed", "never"])
def test_a_folder_that_was_there_keeps_its_metadata_only_with_never(tmp_path: Path, overwrite: Overwrite) -> None:
    (tmp_path / "there").mkdir(mode=0o711)
    os.utime(tmp_path / "there", ns=(5, 5))
    for finish in (False, True):
        folders = [entry("directory", name, finish=finish) for name in ("there", "new")]
        restore(tmp_path, *folders, overwrite=overwrite)
    assert mode_and_time(tmp_path / "there") == ((0o711, 5) if overwrite == "never" else (0o750, MTIME_NS))
    assert mode_and_time(tmp_path / "new") == (0o750, MTIME_NS)


def test_what_interrupted_restores_left_is_swept_and_nothing_else(tmp_path: Path) -> None:
    restore(tmp_path, entry("file", "d/big", size_bytes=10))
    left, mine = tmp_path / "d" / (".segfleet-" + "2" * 12 + "-" + "a" * 24 + ".part"), unfinished(tmp_path, "d/big")
    for path in (left, tmp_path / left.name, tmp_path / "d" / ".segfleet-notes.part"):
        path.write_bytes(b"")
    restore(tmp_path, entry("directory", "d"))
    assert left.exists()
    restore(tmp_path, entry("directory", "d"), sweep=True)
    assert sorted(path.name for path in tmp_path.rglob("*.part")) == sorted([mine.name, ".segfleet-notes.part"])


def test_missing_parents_are_made(tmp_path: Path) -> None:
    restore(tmp_path, entry("symlink", "a/b/c", link="x"))
    assert os.readlink(tmp_path / "a/b/c") == "x"


# Files in parts


def test_a_file_in_parts_is_prepared_and_finished(tmp_path: Path) -> None:
    prepare, finish = entry("file", "big", size_bytes=10), entry("file", "big", size_bytes=10, finish=True)
    assert restore(tmp_path, prepare).files_count == 0
    unfinished(tmp_path, "big").write_bytes(b"0123456789 and more")
    assert restore(tmp_path, finish).files_count == 1
    assert not unfinished(tmp_path, "big").exists()
    assert (tmp_path / "big").read_bytes() == b"0123456789"
    assert mode_and_time(tmp_path / "big") == (0o750, MTIME_NS)


@pytest.mark.parametrize("overwrite", ["always", "if-changed", "never"])
def test_a_repeat_of_the_preparation_destroys_nothing_and_leaves_nothing_out(
    tmp_path: Path, overwrite: Overwrite
) -> None:
    prepare = entry("file", "big", size_bytes=10)
    restore(tmp_path, prepare, overwrite=overwrite)
    with open(unfinished(tmp_path, "big"), "r+b") as file:
        file.write(b"01234")
    assert restore(tmp_path, prepare, overwrite=overwrite).troubles == ()
    assert unfinished(tmp_path, "big").read_bytes() == b"01234"


def test_a_repeat_of_the_finish_changes_nothing(tmp_path: Path) -> None:
    finish = entry("file", "big", size_bytes=5, finish=True)
    restore(tmp_path, entry("file", "big", size_bytes=5))
    unfinished(tmp_path, "big").write_bytes(b"01234")
    for _ in range(2):
        assert restore(tmp_path, finish).files_count == 1
    assert (tmp_path / "big").read_bytes() == b"01234"


def test_a_finish_that_ended_before_its_last_step_is_completed(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"01234")
    (tmp_path / "big").chmod(0o200)
    assert restore(tmp_path, entry("file", "big", size_bytes=5, finish=True)).troubles == ()
    assert mode_and_time(tmp_path / "big") == (0o750, MTIME_NS)


def test_a_file_in_parts_gives_nobody_who_has_the_older_one_open_its_content(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"older")
    with open(tmp_path / "big", "rb") as older:
        restore(tmp_path, entry("file", "big", size_bytes=5))
        assert (tmp_path / "big").read_bytes() == b"older"
        with open(unfinished(tmp_path, "big"), "r+b") as file:
            file.write(b"01234")
        restore(tmp_path, entry("file", "big", size_bytes=5, finish=True))
        assert older.read() == b"older"
    assert (tmp_path / "big").read_bytes() == b"01234"


def test_a_file_that_somebody_has_put_in_the_place_of_the_unfinished_one_is_not_written(tmp_path: Path) -> None:
    restore(tmp_path, entry("file", "big", size_bytes=5))
    planted = unfinished(tmp_path, "big")
    planted.unlink()
    planted.write_bytes(b"")
    planted.chmod(0o666)
    result = restore(tmp_path, entry("file", "big", size_bytes=5, finish=True))
    assert codes(result) == [("big", "unsafe-target")]
    assert not (tmp_path / "big").exists()


@pytest.mark.parametrize("overwrite", ["if-changed", "never"])
def test_a_file_in_parts_that_is_kept_is_reported_to_the_manager(tmp_path: Path, overwrite: Overwrite) -> None:
    (tmp_path / "big").write_bytes(b"0123456789")
    os.utime(tmp_path / "big", ns=(MTIME_NS, MTIME_NS))
    result = restore(tmp_path, entry("file", "big", size_bytes=10), overwrite=overwrite)
    assert codes(result) == [("big", "skipped")]
    assert (result.files_count, result.skipped_count) == (0, 1)


def test_of_a_file_that_did_not_come_back_only_what_the_restore_has_made_is_removed(tmp_path: Path) -> None:
    (tmp_path / "older").write_bytes(b"older")
    restore(tmp_path, *(entry("file", name, size_bytes=9) for name in ("older", "new")))
    restore(tmp_path, *(entry("absent", name, size_bytes=9) for name in ("older", "new", "never", "no/folder")))
    assert [path.name for path in tmp_path.iterdir()] == ["older"]
    assert (tmp_path / "older").read_bytes() == b"older"


def test_a_symlink_where_a_file_in_parts_belongs_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "big").symlink_to("elsewhere")
    restore(tmp_path, entry("file", "big", size_bytes=10))
    assert (tmp_path / "big").is_symlink()
    restore(tmp_path, entry("file", "big", size_bytes=10, finish=True))
    assert stat.S_ISREG((tmp_path / "big").lstat().st_mode)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("overwrite", ["always", "if-changed"])
def test_a_folder_where_a_file_in_parts_belongs_is_reported_before_anything_is_written(
    tmp_path: Path, overwrite: Overwrite
) -> None:
    (tmp_path / "big").mkdir()
    assert codes(restore(tmp_path, entry("file", "big", size_bytes=10), overwrite=overwrite)) == [("big", "exists")]
    assert [path.name for path in tmp_path.rglob("*")] == ["big"]


# What is there already


@pytest.mark.parametrize("kind", ["file", "symlink", "hardlink", "fifo"])
def test_never_leaves_whatever_is_there(tmp_path: Path, kind: EntryKind) -> None:
    (tmp_path / "first").write_bytes(b"")
    (tmp_path / "x").write_bytes(b"kept")
    link = {"symlink": "y", "hardlink": "first"}.get(kind, "")
    result = restore(tmp_path, entry(kind, "x", link=link), overwrite="never")
    assert (tmp_path / "x").read_bytes() == b"kept"
    assert (result.files_count, result.skipped_count, result.troubles) == (0, 1, ())


@pytest.mark.parametrize("kind", ["symlink", "hardlink", "fifo"])
@pytest.mark.parametrize("overwrite", ["always", "if-changed"])
def test_something_else_is_replaced(tmp_path: Path, kind: EntryKind, overwrite: Overwrite) -> None:
    (tmp_path / "first").write_bytes(b"")
    (tmp_path / "x").symlink_to("old")
    link = {"symlink": "new", "hardlink": "first"}.get(kind, "")
    assert restore(tmp_path, entry(kind, "x", link=link), overwrite=overwrite).troubles == ()
    wanted = {"symlink": stat.S_IFLNK, "hardlink": stat.S_IFREG, "fifo": stat.S_IFIFO}[kind]
    assert stat.S_IFMT((tmp_path / "x").lstat().st_mode) == wanted


@pytest.mark.parametrize("kind", ["file", "symlink", "hardlink", "fifo"])
def test_a_folder_never_gives_way(tmp_path: Path, kind: EntryKind) -> None:
    (tmp_path / "first").write_bytes(b"")
    (tmp_path / "x/full").mkdir(parents=True)
    result = restore(tmp_path, entry(kind, "x", link="first"))
    assert codes(result) == [("x", "exists")]
    assert (tmp_path / "x/full").is_dir()


@pytest.mark.parametrize(("overwrite", "expected"), [("always", []), ("if-changed", [("d", "exists")])])
def test_something_in_a_folders_place_gives_way_only_to_always(
    tmp_path: Path, overwrite: Overwrite, expected: list[tuple[str, str]]
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "target").mkdir()
    (tmp_path / "target/d").symlink_to(outside)
    result = restore(tmp_path / "target", entry("directory", "d", finish=True), overwrite=overwrite)
    assert codes(result) == expected
    assert (tmp_path / "target/d").is_symlink() == bool(expected)
    assert outside.stat().st_mtime_ns != MTIME_NS


# Nothing outside the target


@pytest.mark.parametrize("kind", ["file", "symlink", "hardlink", "fifo", "directory"])
def test_nothing_is_made_through_a_symlink(tmp_path: Path, kind: EntryKind) -> None:
    outside, target = tmp_path / "outside", tmp_path / "target"
    outside.mkdir()
    target.mkdir()
    (target / "first").write_bytes(b"")
    (target / "d").symlink_to(outside)
    result = restore(target, entry(kind, "d/x", link="first"))
    assert codes(result) == [("d/x", "unsafe-target")]
    assert list(outside.iterdir()) == []


OLD = b"OLD!" * 50_000
#: A file of 150,000 bytes that lacks three ranges: one in a block, one over many, one to the end.
WITH_HOLES = {
    "size_bytes": 150_000,
    "finish": True,
    "hole_offsets_bytes": (10, 5_000, 140_000),
    "hole_sizes_bytes": (20, 100_001, 10_000),
}


@pytest.fixture(params=[True, False], ids=["holes", "no holes"])
def knows_holes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the target's file system can punch a hole."""
    if not request.param:
        monkeypatch.setattr(files, "punch_hole", lambda *_: False)


@pytest.mark.usefixtures("knows_holes")
def test_lost_ranges_of_a_file_are_zeros_whatever_was_written_there(tmp_path: Path) -> None:
    restore(tmp_path, entry("file", "big", size_bytes=150_000))
    with open(unfinished(tmp_path, "big"), "r+b") as file:
        file.write(OLD)
    assert restore(tmp_path, entry("file", "big", **WITH_HOLES)).troubles == ()
    expected = OLD[:10] + bytes(20) + OLD[30:5_000] + bytes(100_001) + OLD[105_001:140_000] + bytes(10_000)
    assert (tmp_path / "big").read_bytes() == expected
    assert mode_and_time(tmp_path / "big") == (0o750, MTIME_NS)


def test_each_entry_is_a_beat_and_so_is_each_mebibyte_of_zeros_that_must_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "punch_hole", lambda *_: False)
    restore(tmp_path, entry("file", "big", size_bytes=3 * 1024**2))
    with open(unfinished(tmp_path, "big"), "r+b") as file:
        file.write(b"x" * 3 * 1024**2)
    beats = []
    holes = {"size_bytes": 3 * 1024**2, "hole_offsets_bytes": (10,), "hole_sizes_bytes": (2 * 1024**2,)}
    restore(tmp_path, *ONE_OF_EACH, entry("file", "big", finish=True, **holes), beat=lambda: beats.append(1))
    assert len(beats) == len(ONE_OF_EACH) + 1 + 2


@pytest.mark.usefixtures("knows_holes")
def test_lost_ranges_of_a_new_file_take_no_room(tmp_path: Path) -> None:
    entries = (entry("file", "big", size_bytes=150_000), entry("file", "big", **WITH_HOLES))
    assert restore(tmp_path, *entries).troubles == ()
    assert (tmp_path / "big").read_bytes() == bytes(150_000)
    assert (tmp_path / "big").stat().st_blocks == 0


def test_the_other_names_of_a_file_that_is_replaced_keep_its_content(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(OLD)
    (tmp_path / "another name").hardlink_to(tmp_path / "big")
    restore(tmp_path, entry("file", "big", size_bytes=5), entry("file", "big", size_bytes=5, finish=True))
    assert (tmp_path / "another name").read_bytes() == OLD
    assert (tmp_path / "big").read_bytes() == bytes(5)


def test_with_never_a_link_to_an_older_file_is_not_made_but_reported(tmp_path: Path) -> None:
    (tmp_path / "first").write_bytes(b"older")
    result = restore(tmp_path, entry("hardlink", "x", link="first", size_bytes=5), overwrite="never")
    assert codes(result) == [("x", "other-file")]
    assert not (tmp_path / "x").exists()
    os.utime(tmp_path / "first", ns=(MTIME_NS, MTIME_NS))
    (tmp_path / "first").chmod(0o750)
    assert restore(tmp_path, entry("hardlink", "x", link="first", size_bytes=5), overwrite="never").files_count == 1


def test_a_hard_link_to_something_behind_a_symlink_is_refused(tmp_path: Path) -> None:
    outside, target = tmp_path / "outside", tmp_path / "target"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    target.mkdir()
    (target / "d").symlink_to(outside)
    (target / "direct").symlink_to(outside / "secret")
    result = restore(target, entry("hardlink", "x", link="d/secret"), entry("hardlink", "y", link="direct"))
    assert codes(result) == [("x", "unsafe-target")]
    assert (outside / "secret").stat().st_nlink == 1
    assert (target / "y").is_symlink()  # a name more for the symlink itself


def test_metadata_is_never_set_through_a_symlink(tmp_path: Path) -> None:
    outside, target = tmp_path / "outside", tmp_path / "target"
    outside.mkdir(mode=0o700)
    before = mode_and_time(outside)
    target.mkdir()
    (target / "d").symlink_to(outside)
    unfinished(target, "f").symlink_to(outside)
    result = restore(
        target,
        entry("directory", "d", finish=True),
        entry("file", "f", size_bytes=5, finish=True),
        overwrite="if-changed",
    )
    assert codes(result) == [("d", "exists"), ("f", "unsafe-target")]
    assert mode_and_time(outside) == before


def test_paths_that_leave_the_target_are_refused_even_if_the_message_was_not_checked(tmp_path: Path) -> None:
    unchecked = [entry("hardlink", "x", link="first"), entry("directory", "d", finish=True)]
    force_setattr(unchecked[0], "link", "../../etc/passwd")
    force_setattr(unchecked[1], "path", "../escaped")
    target = tmp_path / "target"
    result = restore(target, *unchecked)
    assert [code for _, code in codes(result)] == ["unsafe-target"] * 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["target"]


# Trouble


def test_a_hard_link_to_a_file_that_did_not_come_back_is_reported(tmp_path: Path) -> None:
    result = restore(tmp_path, entry("hardlink", "x", link="gone/first"), entry("symlink", "y", link="z"))
    assert codes(result) == [("x", "missing")]
    assert not (tmp_path / "gone").exists()
    assert (tmp_path / "y").is_symlink()


def test_a_time_that_cannot_be_set_is_reported_and_the_entry_is_there(tmp_path: Path) -> None:
    result = restore(tmp_path, entry("file", "x", mtime_ns=2**100), entry("symlink", "y", link="z", mtime_ns=2**100))
    assert codes(result) == [("x", "metadata"), ("y", "metadata")]
    assert [trouble.size_bytes for trouble in result.troubles] == [0, 0]
    assert result.files_count == 2


def test_device_nodes_and_owners_are_restored_by_root(tmp_path: Path) -> None:
    need_root("make device nodes")
    number = os.makedev(1, 3)
    nodes = [entry(kind, kind, device_number=number, uid=12, gid=34) for kind in ("character", "block")]
    for _ in range(2):
        assert restore(tmp_path, *nodes).troubles == ()
    for kind, is_kind in (("character", stat.S_ISCHR), ("block", stat.S_ISBLK)):
        found = (tmp_path / kind).stat()
        assert is_kind(found.st_mode)
        assert (found.st_rdev, found.st_uid, found.st_gid) == (number, 12, 34)


def test_the_owner_of_a_symlink_is_its_own(tmp_path: Path) -> None:
    need_root("give files to other users")
    (tmp_path / "first").write_bytes(b"")
    restore(tmp_path, entry("symlink", "x", link="first", uid=12, gid=34))
    assert ((tmp_path / "x").lstat().st_uid, (tmp_path / "first").stat().st_uid) == (12, 0)


def test_a_device_node_that_only_root_can_make_is_counted_for_anybody_else(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()

    def restore_nodes(target: Path) -> None:
        nodes = entry("character", "c", device_number=1), entry("fifo", "f"), entry("symlink", "s", link="x")
        result = restore(target, *nodes)
        assert (result.troubles, result.not_kept) == ((), {"device-node": 1})

    as_nobody(target, restore_nodes)
    assert sorted(path.name for path in target.iterdir()) == ["f", "s"]


# The target as a whole


def test_a_target_that_is_not_empty_is_refused_and_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b"")
    with pytest.raises(TargetNotEmptyError, match="mine") as error:
        restore(tmp_path, *ONE_OF_EACH, must_be_empty=True)
    assert error.value.code == "target-not-empty"
    assert "--overwrite" in error.value.hint
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("name", ["d/stranger", "d/big"])
def test_a_file_with_content_is_nothing_that_an_earlier_delivery_made(tmp_path: Path, name: str) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / name).write_bytes(b"content")
    with pytest.raises(TargetNotEmptyError, match=name):
        restore(tmp_path, entry("file", "d/big", size_bytes=7), must_be_empty=True)


def test_what_an_earlier_delivery_made_does_not_count(tmp_path: Path) -> None:
    entries = (*ONE_OF_EACH, entry("file", "e/big", size_bytes=10))
    restore(tmp_path, *entries, must_be_empty=True)
    with open(unfinished(tmp_path, "e/big"), "r+b") as file:
        file.write(b"01234")
    assert restore(tmp_path, *entries, must_be_empty=True).troubles == ()


def test_a_fresh_file_system_is_empty(tmp_path: Path) -> None:
    (tmp_path / "lost+found").mkdir()
    restore(tmp_path, must_be_empty=True)


def test_a_target_that_cannot_be_made_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for target in (tmp_path / "file", tmp_path / "file/below"):
        with pytest.raises(TargetError, match="file"):
            restore(target, *ONE_OF_EACH)
